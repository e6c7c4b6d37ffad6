"""The loop: when the steps of a round run, and in which process."""
