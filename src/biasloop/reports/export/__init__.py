"""An export: the tables of a corpus, and the documents that explain them."""
