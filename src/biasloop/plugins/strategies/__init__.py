"""Strategies: which items annotators label next. docs/strategies.md says when to use which."""
