"""The linear classifier: word and character n-grams, one logistic regression per label.

It trains in seconds on a CPU, keeps every n-gram it saw, and is calibrated out of fold by root.
"""

import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np
import skops.io
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from biasloop.classifiers.calibration import f1_threshold, fit_sigmoid, fit_temperature
from biasloop.classifiers.features import Blocks, Ngrams, Weighting
from biasloop.classifiers.folds import group_folds
from biasloop.domain.label import Labels, LabelSource
from biasloop.errors import ClassifierError
from biasloop.ports import (
    Checkpoint,
    Evidence,
    FitReport,
    Proba,
    TrainingSet,
    no_checkpoint,
)
from biasloop.registry import Options

CERTAIN = 200.0
"""A score whose probability is exactly 0 (negative) or 1 in single precision."""
ENOUGH_ROOTS = 5
"""Roots with a yes, and with a no, below which a label is not calibrated."""
DEFAULT_THRESHOLD = 0.5
BATCH = 4096
"""Texts between two checkpoints."""

FILE = "model.skops"
FORMAT = 1
TRUSTED: frozenset[str] = frozenset()
"""Types beyond skops' own safe ones that a model file may hold: none."""


class TfidfOptions(Options):
    """Options of `tfidf`. `strength` is the inverse of the regularisation (C)."""

    shortest: int = Field(2, ge=1, le=8)
    longest: int = Field(5, ge=1, le=8)
    min_rows: int = Field(1, ge=1)
    strength: float = Field(8.0, gt=0)
    folds: int = Field(5, ge=2, le=20)


@dataclass(frozen=True, slots=True)
class Head:
    """The linear side: `coef` (d, k) and `intercept` (k,) give scores, `slope` and `offset` (k,)
    calibrate them, `thresholds` (k,) decide."""

    coef: NDArray[np.float32]
    intercept: NDArray[np.float64]
    slope: NDArray[np.float64]
    offset: NDArray[np.float64]
    thresholds: NDArray[np.float32]
