"""Flip-consistency: whether verdicts change exactly where counterfactual edits change the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.measure.resample import RESAMPLES, Interval, percentile_interval


@dataclass(frozen=True, slots=True)
class FlipConsistency:
    """The share of `n` families in which every version is classified correctly; None if n is 0."""

    n: int
    share: Interval | None

    def as_dict(self) -> Mapping[str, Any]:
        """For JSON."""
        return asdict(self)


def flip_consistency(
    families: Sequence[str], truth: Labels, flags: NDArray[np.bool_], *, seed: int
) -> FlipConsistency:
    """Flip-consistency over families, which consist of the versions of one sentence.

    `families` (n,) names the family of each row, "" for rows that have none; `truth` and `flags`
    are (n, k). A family is consistent if the flags of every version are correct for every label
    whose truth differs among the versions: masculine and feminine forms get one verdict, paired and
    neutral forms the other. Families without such a label do not count. The interval resamples
    families. Derived from counterfactual consistency (Garg et al. 2019, "Counterfactual fairness in
    text classification").
    """
    names = np.asarray(families, dtype=np.str_)
    outcomes = [
        _is_consistent(truth[names == name], flags[names == name])
        for name in np.unique(names[names != ""])
    ]
    consistent = np.array([value for value in outcomes if value is not None], dtype=float)
    if not len(consistent):
        return FlipConsistency(0, None)
    draws = np.random.default_rng(seed).integers(0, len(consistent), (RESAMPLES, len(consistent)))
    return FlipConsistency(
        len(consistent),
        percentile_interval(np.append(consistent.mean(), consistent[draws].mean(axis=1))),
    )


def _is_consistent(truth: Labels, flags: NDArray[np.bool_]) -> bool | None:
    """Whether a family is consistent; None if no label differs among its versions."""
    varies = (truth == 1).any(axis=0) & (truth == 0).any(axis=0)
    if not varies.any():
        return None
    return bool((flags[:, varies] == (truth[:, varies] == 1)).all())
