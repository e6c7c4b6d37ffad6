"""What a language model is asked to write, and what of it is refused."""
