"""Whether a classifier's verdict flips where only the counterfactual change would make it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.measure.resample import RESAMPLES, Interval, percentile_interval


@dataclass(frozen=True, slots=True)
class FlipConsistency:
    """`share` of `n` families whose every version is judged right; None without a family."""

    n: int
    share: Interval | None

    def as_dict(self) -> Mapping[str, Any]:
        """For JSON."""
        return asdict(self)


def flip_consistency(
    families: Sequence[str], truth: Labels, flags: NDArray[np.bool_], *, seed: int
) -> FlipConsistency:
    """Flip-consistency over families of versions of one sentence.

    `families` (n,) names the family of each row, "" for rows of none; `truth` and `flags` are
    (n, k). A family is consistent when, for every label whose truth differs among its versions,
    each version's flag is right: masculine and feminine get one verdict, paired and neutral the
    other. The interval resamples families. After counterfactual consistency (Garg et al. 2019,
    "Counterfactual fairness in text classification").
    """
    names = np.asarray(families, dtype=np.str_)
    consistent = [
        _consistent(truth[names == name], flags[names == name])
        for name in np.unique(names[names != ""])
    ]
    found = np.array([value for value in consistent if value is not None], dtype=float)
    if not len(found):
        return FlipConsistency(0, None)
    draws = np.random.default_rng(seed).integers(0, len(found), (RESAMPLES, len(found)))
    return FlipConsistency(
        len(found), percentile_interval(np.append(found.mean(), found[draws].mean(axis=1)))
    )


def _consistent(truth: Labels, flags: NDArray[np.bool_]) -> bool | None:
    varies = (truth == 1).any(axis=0) & (truth == 0).any(axis=0)
    if not varies.any():
        return None
    return bool((flags[:, varies] == (truth[:, varies] == 1)).all())
