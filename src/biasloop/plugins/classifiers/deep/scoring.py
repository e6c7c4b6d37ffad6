"""Scores and mean-pooled states of texts, computed by a network."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from biasloop.plugins.classifiers.deep.batches import Rows, Tokens, batches_by_length, padded_batch
from biasloop.plugins.classifiers.deep.hardware import batch_tokens
from biasloop.plugins.classifiers.deep.network import Network, mean_pool
from biasloop.ports import Checkpoint

Array = NDArray[np.float32]


def scores_and_states(
    network: Network, tokens: Tokens, pad: int, checkpoint: Checkpoint
) -> tuple[Array, Array]:
    """Scores (n, k) and mean-pooled states (n, e) of n texts."""
    weight = network.head.weight
    scores = np.zeros((len(tokens), weight.shape[0]), np.float32)
    states = np.zeros((len(tokens), weight.shape[1]), np.float32)
    outputs = []
    with torch.inference_mode():
        for rows, ids, mask in _batches(tokens, pad, weight.device):
            outputs.append((rows, *network(ids, mask)))
            checkpoint()
    # Copied at the end, so that a GPU does not wait between batches.
    for rows, batch_scores, pooled in outputs:
        scores[rows], states[rows] = batch_scores.cpu().numpy(), pooled.cpu().numpy()
    return scores, states


def mean_states(
    model: Any, layers: Sequence[int], tokens: Tokens, pad: int, checkpoint: Checkpoint
) -> Array:
    """Mean-pooled states (n, l, e) of n texts after l layers of a model without a head.

    Layers are counted from 1; 0 are the embeddings of the tokens.
    """
    states = np.zeros((len(tokens), len(layers), model.config.hidden_size), np.float32)
    outputs = []
    with torch.inference_mode():
        for rows, ids, mask in _batches(tokens, pad, model.device):
            output = model(ids, attention_mask=mask, output_hidden_states=True)
            # Some models normalise their last states once more.
            hidden = (*output.hidden_states[:-1], output.last_hidden_state)
            pooled = [mean_pool(hidden[layer], mask) for layer in layers]
            outputs.append((rows, torch.stack(pooled, dim=1)))
            checkpoint()
    for rows, pooled_states in outputs:
        states[rows] = pooled_states.cpu().numpy()
    return states


def _batches(
    tokens: Tokens, pad: int, device: torch.device
) -> Iterator[tuple[Rows, torch.Tensor, torch.Tensor | None]]:
    lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
    for rows in batches_by_length(lengths, batch_tokens(device)):
        yield rows, *padded_batch(tokens, rows, pad, device)


def scores_with_dropout(
    network: Network, tokens: Tokens, pad: int, passes: int, checkpoint: Checkpoint
) -> Array:
    """Scores (n, p, k) of p passes with different units dropped (Gal and Ghahramani 2016)."""
    scores = np.zeros((len(tokens), passes, network.head.out_features), np.float32)
    network.train()
    try:
        for i in range(passes):
            torch.manual_seed(i)
            scores[:, i] = scores_and_states(network, tokens, pad, checkpoint)[0]
    finally:
        network.eval()
    return scores
