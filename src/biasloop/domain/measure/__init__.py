"""Quality figures, their uncertainty, and decisions based on them."""
