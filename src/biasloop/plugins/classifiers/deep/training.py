"""The training loop: AdamW, warm-up and linear decay, batches of texts of similar length."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
import torch

from biasloop.plugins.classifiers.deep.batches import (
    Tokens,
    batches_by_length,
    padded_batch,
    shuffled_batches,
)
from biasloop.plugins.classifiers.deep.hardware import attention
from biasloop.plugins.classifiers.deep.network import Network
from biasloop.plugins.classifiers.deep.resume import load_training, save_training, trainable_weights
from biasloop.plugins.classifiers.deep.targets import Targets
from biasloop.ports import Checkpoint

WEIGHT_DECAY = 0.01
MAX_GRADIENT_NORM = 1.0
"""Gradients are clipped to this norm."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`epochs` over the rows, or as many as make `min_steps` batches if that is more; a batch has
    at most `tokens` tokens and `rows` rows. The learning rate rises to `lr` during the share
    `warm_up` of the training, then falls to 0."""

    lr: float
    epochs: int
    min_steps: int
    tokens: int
    rows: int
    warm_up: float

    def lr_at(self, progress: float) -> float:
        """The learning rate when the share `progress` of the training is done."""
        return self.lr * min(progress / self.warm_up, (1 - progress) / (1 - self.warm_up))

    def scaled(self, rate: float, length: int) -> "Plan":
        """A plan with the learning rate and the length multiplied by these factors."""
        return replace(
            self,
            lr=self.lr * rate,
            epochs=self.epochs * length,
            min_steps=self.min_steps * length,
        )


def train(
    network: Network,
    tokens: Tokens,
    pad: int,
    targets: Targets,
    plan: Plan,
    *,
    seed: int,
    dtype: torch.dtype,
    state: Path | None,
    checkpoint: Checkpoint,
) -> None:
    """Trains the network on its current device, in `dtype` where that is safe (autocast).

    With a file `state`, resumes after the last epoch saved there. Every epoch has its own seed, so
    an interrupted training ends with the same weights as an uninterrupted one.
    """
    training_rows = targets.rows
    if not len(training_rows):
        return
    lengths = np.array([len(tokens[row]) for row in training_rows])
    batches_per_epoch = len(batches_by_length(lengths, plan.tokens, plan.rows))
    epochs = max(plan.epochs, ceil(plan.min_steps / batches_per_epoch))
    device = network.head.weight.device
    weights = [weight for _, weight in trainable_weights(network)]
    optimizer = torch.optim.AdamW(weights, lr=plan.lr, weight_decay=WEIGHT_DECAY, fused=True)
    epochs_done = load_training(state, network, optimizer) if state else 0
    network.train()
    for epoch in range(epochs_done, epochs):
        torch.manual_seed(seed_from(seed, epoch))
        rng = np.random.default_rng([seed, epoch])
        batches = shuffled_batches(lengths, plan.tokens, plan.rows, rng)
        for i, batch in enumerate(batches):
            rows = training_rows[batch]
            rate = plan.lr_at((epoch + (i + 0.5) / len(batches)) / epochs)
            optimizer.param_groups[0]["lr"] = rate
            ids, mask = padded_batch(tokens, rows, pad, device)
            autocast = torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
            with autocast, attention(device):
                scores, _ = network(ids, mask)
            loss = targets.loss(scores, rows) * len(batches) / len(training_rows)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
            optimizer.step()
            optimizer.zero_grad()
            checkpoint()
        if state:
            save_training(state, network, optimizer, epoch + 1)
    network.eval()


def seed_from(*numbers: int) -> int:
    """One seed made of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Restores torch's global random state at the end; inside, a GPU computes deterministically
    where its kernels can."""
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        if not gpus:
            yield
            return
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        before = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
