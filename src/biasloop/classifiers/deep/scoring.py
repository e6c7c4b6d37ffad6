"""What a trained network says of texts."""

import numpy as np
import torch
from numpy.typing import NDArray

from biasloop.classifiers.deep.batches import Tokens, by_length, padded
from biasloop.classifiers.deep.hardware import batch_tokens
from biasloop.classifiers.deep.network import Network
from biasloop.ports import Checkpoint

Array = NDArray[np.float32]


def scores_and_states(
    network: Network, tokens: Tokens, pad: int, checkpoint: Checkpoint
) -> tuple[Array, Array]:
    """Scores (n, k) and mean-pooled states (n, e) of n texts."""
    weight = network.head.weight
    scores = np.zeros((len(tokens), weight.shape[0]), np.float32)
    states = np.zeros((len(tokens), weight.shape[1]), np.float32)
    lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
    with torch.inference_mode():
        for rows in by_length(lengths, batch_tokens(weight.device)):
            said, pooled = network(*padded(tokens, rows, pad, weight.device))
            scores[rows], states[rows] = said.cpu().numpy(), pooled.cpu().numpy()
            checkpoint()
    return scores, states


def scores_with_dropout(
    network: Network, tokens: Tokens, pad: int, passes: int, checkpoint: Checkpoint
) -> Array:
    """Scores (n, p, k) of p passes, each with other units dropped (Gal and Ghahramani 2016)."""
    found = np.zeros((len(tokens), passes, network.head.out_features), np.float32)
    network.train()
    try:
        for i in range(passes):
            torch.manual_seed(i)
            found[:, i] = scores_and_states(network, tokens, pad, checkpoint)[0]
    finally:
        network.eval()
    return found
