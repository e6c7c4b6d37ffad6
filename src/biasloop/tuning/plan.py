"""What a tuning will take, before it begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from biasloop.domain.pair import Pair
from biasloop.tuning.base import read_tokenizer
from biasloop.tuning.handover import Method, Recipe
from biasloop.tuning.rows import measure_lengths

BYTES_4BIT = 0.6
"""Of a weight in four bits, with its scales."""
BYTES_OF_TRAINED = 16
"""Of a trained parameter in single precision: itself, its gradient, and two moments of AdamW."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of `rows`, the `tokens` of all of them and of the `longest`, and the number of
    `steps`; `too_long` are the ids of pairs that are longer than the recipe permits. `parameters`
    are those of the base, `trained` those of the adapter. `memory`, in bytes, is that of weights,
    adapter and the scores of all tokens of a step; activations come on top."""

    rows: int
    tokens: int
    longest: int
    steps: int
    too_long: tuple[str, ...]
    parameters: int
    trained: int
    memory: int


def make_plan(pairs: Sequence[Pair], base: Path, recipe: Recipe, *, on_gpu: bool) -> Plan:
    """Measures the pairs with the model's own tokenizer and template. Raises ConfigError for a base
    that cannot be tuned."""
    tokenizer = read_tokenizer(base)
    lengths = measure_lengths(pairs, tokenizer, recipe.method)
    longest = max((length.whole for length in lengths), default=0)
    parameters, trained, vocabulary = _count_parameters(base, recipe)
    bytes_per_weight = BYTES_4BIT if recipe.four_bit else 2 if on_gpu else 4
    answers = 2 if recipe.method is Method.DPO else 1
    scores = answers * recipe.rows_at_once * min(longest, recipe.max_length) * vocabulary * 4
    return Plan(
        rows=len(pairs),
        tokens=sum(length.whole for length in lengths),
        longest=longest,
        steps=ceil(len(pairs) / recipe.batch) * recipe.epochs,
        too_long=tuple(length.id for length in lengths if length.whole > recipe.max_length),
        parameters=parameters,
        trained=trained,
        memory=int(parameters * bytes_per_weight + trained * BYTES_OF_TRAINED + scores),
    )


def _count_parameters(base: Path, recipe: Recipe) -> tuple[int, int, int]:
    """(parameters of the base, parameters of an adapter, size of the vocabulary). No weights are
    loaded."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config: Any = AutoConfig.from_pretrained(base, local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    trained = sum(
        recipe.rank * (module.in_features + module.out_features)
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    )
    return model.num_parameters(), trained, config.get_text_config().vocab_size
