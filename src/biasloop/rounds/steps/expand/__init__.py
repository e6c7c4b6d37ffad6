"""OPENED -> EXPANDED: adds synthetic texts to the pool."""
