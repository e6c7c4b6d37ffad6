"""Strategies: which items people are asked about next."""

from biasloop.registry import Kind, register

_HERE = "biasloop.strategies.small_text"

register(Kind.STRATEGY, "auto", "biasloop.strategies.auto:Auto")
register(Kind.STRATEGY, "random", f"{_HERE}:Random")
register(Kind.STRATEGY, "breaking_ties", f"{_HERE}:BreakingTies")
register(Kind.STRATEGY, "margin_to_border", "biasloop.strategies.multi_label:MarginToBorder")
