"""OPENED -> EXPANDED: the corpus grows by synthetic texts."""
