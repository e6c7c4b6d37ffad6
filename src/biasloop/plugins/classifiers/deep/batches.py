"""Texts as tokens, and batches of texts of like length, so that little is padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Tokens = list[list[int]]
"""Token ids of each text, at least one."""
Rows = NDArray[np.int64]

SPREAD = 1.25
"""How far lengths are stretched at random before training batches are cut."""


def tokenise(tokenizer: Any, texts: Sequence[str], max_length: int) -> Tokens:
    """Token ids of every text, cut to `max_length`."""
    if not texts:
        return []
    readable = [text.encode("utf-8", "replace").decode() for text in texts]  # lone surrogates
    found = tokenizer(
        readable,
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    empty = [filler(tokenizer)]
    return [ids or empty for ids in found["input_ids"]]


def filler(tokenizer: Any) -> int:
    """The token that pads. Decoder-only models often have none; any will do, it is masked."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def by_length(lengths: NDArray[np.int64], tokens: int, rows: int | None = None) -> list[Rows]:
    """Row numbers in batches, longest first, each of at most `tokens` tokens with its padding
    (or of one row) and at most `rows` rows."""
    return _cut(np.argsort(-lengths, kind="stable"), lengths, tokens, rows)


def shuffled(
    lengths: NDArray[np.int64], tokens: int, rows: int, rng: np.random.Generator
) -> list[Rows]:
    """As `by_length`, in random order, and rows of like length mixed anew each time."""
    noisy = lengths * rng.uniform(1, SPREAD, len(lengths))
    batches = _cut(np.argsort(-noisy), lengths, tokens, rows)
    return [batches[i] for i in rng.permutation(len(batches))]


def _cut(order: Rows, lengths: NDArray[np.int64], tokens: int, rows: int | None) -> list[Rows]:
    batches = []
    start = longest = 0
    for i, row in enumerate(order):
        longest = max(longest, int(lengths[row]))
        size = i - start + 1
        if size > 1 and (longest * size > tokens or (rows and size > rows)):
            batches.append(order[start:i])
            start, longest = i, int(lengths[row])
    if len(order):
        batches.append(order[start:])
    return batches


def padded(
    tokens: Tokens, rows: Rows, pad: int, on: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Token ids (b, l) and mask (b, l), 1 where a token is one; None where nothing is padding,
    which spares attention the mask."""
    lengths = [len(tokens[row]) for row in rows]
    longest = max(lengths)
    ids = torch.full((len(rows), longest), pad)
    for i, row in enumerate(rows):
        ids[i, : lengths[i]] = torch.tensor(tokens[row])
    if min(lengths) == longest:
        return ids.to(on), None
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return ids.to(on), mask.long().to(on)
