"""Tokens per second of a base-size encoder on a GPU, compared with its matrix product rate."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
import transformers

from biasloop.plugins.classifiers.deep import hardware
from biasloop.plugins.classifiers.deep.network import Network, Tuning, new_network
from biasloop.plugins.classifiers.deep.scoring import scores_and_states
from biasloop.plugins.classifiers.deep.targets import Targets
from biasloop.plugins.classifiers.deep.training import Plan, own_random_state, train
from biasloop.ports import no_checkpoint

LENGTH, ROWS, SIDE, LABELS = 512, 4_096, 8_192, 2
LAYERS, WIDTH, INNER = 12, 768, 3_072
FLOPS = LAYERS * (2 * (4 * WIDTH**2 + 2 * WIDTH * INNER) + 4 * LENGTH * WIDTH)
"""Of one token forward: the layers' matrix products, and those of attention. The gradients take
twice that for weights that learn; behind frozen ones once."""


def gpu() -> Iterator[dict[str, Any]]:
    """Measures scoring and training; without a GPU, yields one line that says so."""
    if not torch.cuda.is_available():
        yield {"what": "gpu", "skipped": "no CUDA device"}
        return
    device = hardware.device()
    dtype = hardware.dtype(device)
    rate = product_rate(device, dtype)
    with own_random_state(device):
        torch.manual_seed(0)
        for kind in ("lora", "full"):
            model = transformers.BertModel(transformers.BertConfig())
            network = new_network(model, Tuning(kind, 8, 16.0, "all-linear"), LABELS, 0.1).to(
                device
            )
            if kind == "lora":
                yield from scoring(network.for_scoring(device, dtype), rate)
            yield training(network, kind, dtype, rate)


def scoring(scorer: Network, rate: float) -> Iterator[dict[str, Any]]:
    """Texts that need no padding, and texts of all lengths."""
    rng = np.random.default_rng(0)
    for name, shortest in (("of 512 tokens", LENGTH), ("of 16 to 512 tokens", 16)):
        tokens = [random_tokens(rng, n) for n in rng.integers(shortest, LENGTH + 1, ROWS)]
        seconds = best_seconds(partial(scores_and_states, scorer, tokens, 0, no_checkpoint))
        yield line(f"score texts {name}", sum(map(len, tokens)) / seconds, FLOPS, rate)


def training(network: Network, kind: str, dtype: torch.dtype, rate: float) -> dict[str, Any]:
    """One epoch."""
    rng = np.random.default_rng(0)
    tokens = [random_tokens(rng, LENGTH) for _ in range(ROWS // 8)]
    labels = np.eye(LABELS, dtype=np.int8)[rng.integers(0, LABELS, len(tokens))]
    targets = Targets.from_labels(labels, np.ones(len(tokens), np.float32), multi=False)
    plan = Plan(lr=1e-4, epochs=1, min_steps=1, tokens=32_768, rows=64, warm_up=0.1)
    epoch = partial(train, network, tokens, 0, targets, plan)
    seconds = best_seconds(
        partial(epoch, seed=0, dtype=dtype, state=None, checkpoint=no_checkpoint)
    )
    times = FLOPS * (2 if kind == "lora" else 3)
    return line(f"train, {kind}", len(tokens) * LENGTH / seconds, times, rate)


def random_tokens(rng: np.random.Generator, n: int) -> list[int]:
    """Random token ids."""
    ids: list[int] = rng.integers(999, 20_000, n).tolist()
    return ids


def product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of a large matrix product."""
    first, second = (torch.randn(SIDE, SIDE, device=device, dtype=dtype) for _ in range(2))
    return 10 * 2 * SIDE**3 / best_seconds(lambda: [first @ second for _ in range(10)])


def line(what: str, tokens: float, flops: int, rate: float) -> dict[str, Any]:
    """Tokens per second and what share of the bare product's rate they are."""
    return {
        "what": what,
        "tokens_per_second": float(tokens),
        "share_of_matrix_product_rate": float(tokens * flops / rate),
        "matrix_product_tflops": rate / 1e12,
    }


def best_seconds(work: Callable[[], Any]) -> float:
    """Seconds, the best of three after one to warm up."""
    seconds = []
    for _ in range(4):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
