"""What a strategy saves, measured: the loop without Label Studio, on data that is labelled."""
