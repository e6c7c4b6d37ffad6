"""How much is remembered of what was found out about words and texts."""

CACHED_WORDS = 1 << 16
"""Words. A cache of a few of their properties takes some ten megabytes at most."""
CACHED_TEXTS = 8
"""Texts: different parts of the reader read the same text one after the other."""
CACHED_CLAUSES = 256
"""Clauses, of some kilobytes each: more than a text has."""
