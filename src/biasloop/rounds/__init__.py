"""The loop: what runs the steps of a round, when, and in which process."""
