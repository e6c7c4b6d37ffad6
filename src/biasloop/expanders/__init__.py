"""Expanders: make synthetic items out of labelled train items."""

from biasloop.registry import Kind, register

register(
    Kind.EXPANDER,
    "counterfactual",
    "biasloop.expanders.counterfactual:Counterfactual",
    "biasloop.expanders.counterfactual:CounterfactualOptions",
)
register(
    Kind.EXPANDER,
    "llm",
    "biasloop.expanders.llm:Llm",
    "biasloop.expanders.llm:LlmOptions",
)
