"""How good, how sure, and what follows from it."""
