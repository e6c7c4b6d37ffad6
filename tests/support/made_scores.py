"""Scores as the score step stores them, made up."""

import numpy as np
import small_text

from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.own import unit

assert small_text  # takes seconds to load: here, so that no test waits for it

EMBEDDING, PASSES = 8, 4


def made_scores(
    m: int, k: int, multi: bool, seed: int = 0, *, labelled: int = 0, distinct: int | None = None
) -> Scores:
    """m candidates, k labels; all of them among `distinct` different ones, if that is given."""
    rng = np.random.default_rng(seed)

    def arrays(n: int) -> dict[str, np.ndarray]:
        passes = rng.random((n, PASSES, k))
        if not multi:
            passes /= passes.sum(axis=-1, keepdims=True)
        rows = rng.integers(distinct, size=n) % n if distinct and n else np.arange(n)
        found = {
            "proba": passes.mean(axis=1),
            "passes": passes,
            "embedding": rng.standard_normal((n, EMBEDDING)),
        }
        return {name: array[rows].astype(np.float32) for name, array in found.items()}

    labels = (rng.random((labelled, k)) < 0.4).astype(np.int8)
    if not multi:
        labels = np.eye(k, dtype=np.int8)[rng.integers(k, size=labelled)]
    thresholds = rng.uniform(0.2, 0.8, k).astype(np.float32)
    candidates, known = arrays(m), arrays(labelled)
    points = unit(np.concatenate([candidates["embedding"], known["embedding"]]))
    return Scores(
        candidates,
        thresholds,
        multi,
        known,
        labels,
        similarity=lambda some, others: points[some] @ points[others].T,
    )
