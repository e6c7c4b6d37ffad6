"""The training loop: AdamW, warm-up and decay, batches of texts of like length."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
import torch

from biasloop.plugins.classifiers.deep.batches import Tokens, by_length, padded, shuffled
from biasloop.plugins.classifiers.deep.hardware import attention
from biasloop.plugins.classifiers.deep.network import Network
from biasloop.plugins.classifiers.deep.resume import learning, load_training, save_training
from biasloop.plugins.classifiers.deep.targets import Targets
from biasloop.ports import Checkpoint

WEIGHT_DECAY = 0.01
LONGEST_STEP = 1.0
"""Norm that gradients are clipped to."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`epochs` over the rows, more of them until `min_steps` batches were seen; a batch holds at
    most `tokens` tokens and `rows` rows; `lr` rises for the share `warm_up` of the time, then
    falls to 0."""

    lr: float
    epochs: int
    min_steps: int
    tokens: int
    rows: int
    warm_up: float

    def lr_at(self, progress: float) -> float:
        """The rate when that share of the training is done."""
        return self.lr * min(progress / self.warm_up, (1 - progress) / (1 - self.warm_up))

    def changed(self, rate: float, epochs: int) -> "Plan":
        """With the rate and the length multiplied."""
        return replace(
            self,
            lr=self.lr * rate,
            epochs=self.epochs * epochs,
            min_steps=self.min_steps * epochs,
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
    """Trains the network where it is, in `dtype` where that is safe (autocast).

    With a file `state`, goes on after the last epoch saved there. Every epoch is seeded for
    itself, so an interrupted training ends with the same weights as an unbroken one.
    """
    taught = targets.rows
    if not len(taught):
        return
    lengths = np.array([len(tokens[row]) for row in taught])
    epochs = max(
        plan.epochs, ceil(plan.min_steps / len(by_length(lengths, plan.tokens, plan.rows)))
    )
    on = network.head.weight.device
    weights = [weight for _, weight in learning(network)]
    optimizer = torch.optim.AdamW(weights, lr=plan.lr, weight_decay=WEIGHT_DECAY, fused=True)
    done = load_training(state, network, optimizer) if state else 0
    network.train()
    for epoch in range(done, epochs):
        torch.manual_seed(number(seed, epoch))
        rng = np.random.default_rng([seed, epoch])
        batches = shuffled(lengths, plan.tokens, plan.rows, rng)
        for i, batch in enumerate(batches):
            rows = taught[batch]
            rate = plan.lr_at((epoch + (i + 0.5) / len(batches)) / epochs)
            optimizer.param_groups[0]["lr"] = rate
            ids, mask = padded(tokens, rows, pad, on)
            with torch.autocast(on.type, dtype, enabled=dtype != torch.float32), attention(on):
                scores, _ = network(ids, mask)
            loss = targets.loss(scores, rows) * len(batches) / len(taught)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(weights, LONGEST_STEP)
            optimizer.step()
            optimizer.zero_grad()
            checkpoint()
        if state:
            save_training(state, network, optimizer, epoch + 1)
    network.eval()


def number(*parts: int) -> int:
    """One seed out of several numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


@contextmanager
def own_randomness(on: torch.device) -> Iterator[None]:
    """Leaves torch's global random state as it was; inside, a GPU computes the same each time,
    as far as its kernels can."""
    gpus = [torch.cuda.current_device()] if on.type == "cuda" else []
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
