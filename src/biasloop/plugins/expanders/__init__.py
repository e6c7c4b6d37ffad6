"""Expanders: make synthetic items out of labelled train items."""

from biasloop.plugins.registry import Kind, register

register(
    Kind.EXPANDER,
    "counterfactual",
    "biasloop.plugins.expanders.counterfactual:Counterfactual",
    "biasloop.plugins.expanders.counterfactual:CounterfactualOptions",
)
register(
    Kind.EXPANDER,
    "llm",
    "biasloop.plugins.expanders.llm:Llm",
    "biasloop.plugins.expanders.llm:LlmOptions",
)
