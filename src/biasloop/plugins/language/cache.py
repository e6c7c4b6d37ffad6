"""How many results are cached of what was found out about words, clauses and texts."""

CACHED_WORDS = 1 << 16
"""One for each word: a few of its properties take some ten megabytes at most."""
CACHED_TEXTS = 8
"""One for each text: the parts of the reader read the same text one after the other."""
CACHED_CLAUSES = 256
"""One for each clause, of some kilobytes: more than a text has."""
CACHED_LENGTH = 100
"""Characters of the longest string that is cached as a word: what is found out about a longer one
may be hundreds of times as large as the string."""
