"""Turns texts into tokens, and into batches of texts of similar length, to save padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from biasloop.domain.text import in_one_line

Tokens = list[list[int]]
"""Token ids of each text, at least one."""
Rows = NDArray[np.int64]

MAX_STRETCH = 1.25
"""Lengths are multiplied by a random factor from 1 to this before training batches are cut."""


def tokenise(tokenizer: Any, texts: Sequence[str], max_length: int) -> Tokens:
    """Token ids of every text, normalised and cut to `max_length`."""
    if not texts:
        return []
    normal = map(in_one_line, texts)
    encodable = [text.encode("utf-8", "replace").decode() for text in normal]  # lone surrogates
    encoding = tokenizer(
        encodable,
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    empty = [padding_token(tokenizer)]
    return [ids or empty for ids in encoding["input_ids"]]


def padding_token(tokenizer: Any) -> int:
    """The id of the padding token. Decoder-only models often have none; any id will do, since it
    is masked."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def batches_by_length(
    lengths: NDArray[np.int64], tokens: int, rows: int | None = None
) -> list[Rows]:
    """Row numbers in batches, longest texts first. A batch has at most `rows` rows, and at most
    `tokens` tokens including padding unless it is a single row."""
    return _cut(np.argsort(-lengths, kind="stable"), lengths, tokens, rows)


def shuffled_batches(
    lengths: NDArray[np.int64], tokens: int, rows: int, rng: np.random.Generator
) -> list[Rows]:
    """Like `batches_by_length`, but in random order; rows of similar length are mixed differently
    each time."""
    stretched = lengths * rng.uniform(1, MAX_STRETCH, len(lengths))
    batches = _cut(np.argsort(-stretched), lengths, tokens, rows)
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


def padded_batch(
    tokens: Tokens, rows: Rows, pad: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Token ids (b, l) and the attention mask (b, l), 0 for padding; the mask is None when there
    is no padding, because attention is faster without one."""
    lengths = [len(tokens[row]) for row in rows]
    longest = max(lengths)
    ids = torch.full((len(rows), longest), pad)
    for i, row in enumerate(rows):
        ids[i, : lengths[i]] = torch.tensor(tokens[row])
    if min(lengths) == longest:
        return ids.to(device), None
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return ids.to(device), mask.long().to(device)
