"""What a model says of texts, by the labels of today."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Scheme
from biasloop.domain.learning import Proba
from biasloop.domain.measure.metric import Flags, flag_labels


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Verdicts on n texts for the labels of the scheme; `proba` and `flags` are (n, k).

    For labels that the model never learned `proba` is NaN and nothing is flagged; `known` are the
    others.
    """

    proba: Proba
    flags: Flags
    known: tuple[str, ...]


def decide_verdicts(
    proba: Proba, thresholds: NDArray[np.float32], names: Sequence[str], scheme: Scheme
) -> Verdicts:
    """The verdicts in a model's probabilities (n, m); `thresholds` (m,) and `names` (m,) are those
    of the labels that it learned.

    The model decides among the labels that it learned. So in a single-label scheme a text whose
    class was removed since has no flag, rather than that of another class.
    """
    flags = flag_labels(proba, thresholds, scheme.multi)
    return Verdicts(
        proba=scheme.align(proba, names, np.nan),
        flags=scheme.align(flags, names, False),
        known=scheme.known_labels(names),
    )
