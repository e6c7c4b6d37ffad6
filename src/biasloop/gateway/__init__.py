"""The gateway: the way by which annotators reach Label Studio, and all that it lets through."""
