"""biasloop: a bias classifier and a labelled corpus from raw job ads, for the fewest labels."""

__version__ = "0.1.0"
