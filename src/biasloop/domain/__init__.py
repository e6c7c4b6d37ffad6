"""Values and decisions in pure Python and numpy, without clock, disk or network."""
