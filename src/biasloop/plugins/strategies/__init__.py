"""Strategies: which items people are asked about next. docs/strategies.md says which for what."""
