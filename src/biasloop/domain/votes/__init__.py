"""What several people's answers on an item come to."""
