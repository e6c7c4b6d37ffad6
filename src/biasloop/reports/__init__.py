"""What is read off a workspace."""
