"""Checks what a model file holds, so that a damaged file gives an error and no verdicts."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def require_sound_head(state: Mapping[str, Any]) -> None:
    """Raises ValueError unless the k `names` are distinct strings, `multi` is a bool, and `slope`,
    `offset` and `thresholds` are k finite numbers each."""
    names = state["names"]
    if not names or len(set(names)) < len(names) or not all(isinstance(n, str) for n in names):
        raise ValueError("the names of the labels are not distinct strings")
    if not isinstance(state["multi"], bool):
        raise ValueError("the kind of scheme is neither true nor false")
    for name in ("slope", "offset", "thresholds"):
        _require_numbers(name, state[name], (len(names),))


def require_sound_model(arrays: Mapping[str, Any], labels: int) -> None:
    """Raises ValueError unless the arrays are finite and have the shapes of a linear model of that
    many labels; see head.linear and terms.weighting."""
    _require_numbers("intercept", arrays["intercept"], (labels,))
    width = len(arrays["coef"])
    _require_numbers("coef", arrays["coef"], (width, labels))
    for name in arrays.keys() - {"coef", "intercept"}:
        # Next to the terms there may be states, which have no array of their own.
        size = min(width, len(arrays[name])) if name == "term_idf" else width
        _require_numbers(name, arrays[name], (size,))
    if np.any(np.asarray(arrays.get("deviation", 1)) <= 0):
        raise ValueError("a deviation is not positive")


def require_sound_mean(slopes: Any, offset: Any, labels: int) -> None:
    """Raises ValueError unless the arrays are finite and have the shapes of a mean of two models of
    that many labels; see mixed.mean_scores."""
    _require_numbers("slopes", slopes, (2, labels))
    _require_numbers("offset", offset, (labels,))


def _require_numbers(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name} is not an array of numbers")
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape} instead of {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has numbers that are not finite")
