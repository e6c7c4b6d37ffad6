"""The nouns: pure Python and numpy, no clock, no disk, no network."""
