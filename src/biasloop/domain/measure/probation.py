"""Probation: whether texts written by a language model should stay in the training data.

They are reviewed as a set: the same models are trained with and without them, and measured out of
fold on real items with human labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.measure.metric import MIN_POSITIVES, Flags
from biasloop.domain.measure.ranking import average_precision
from biasloop.domain.measure.resample import RESAMPLES, Array, Roots

Probabilities = NDArray[np.floating]

SEEDS = 5
"""Number of times that the folds are drawn."""
TAIL = 0.10
"""Tail probability of the one-sided bounds, which gives lower 90 % bounds."""
MAX_LOSS = 0.01
"""The lower bound must rule out a larger loss in mean average precision."""
MAX_WRONG = 0.10
"""The texts are refused if a larger share of their labels is shown to be wrong."""
MIN_DISCRIMINATION = 0.1
"""Minimum true minus false positive rate of a model on a label for its verdicts to count."""


@dataclass(frozen=True, slots=True)
class BoundedEstimate:
    """A measured value and its lower 90 % bound."""

    value: float
    low: float


@dataclass(frozen=True, slots=True)
class Review:
    """The review of the `texts` texts that were written up to the ledger sequence number `up_to`.

    `gain` is the mean average precision with the texts, at `weight`, minus that without them, over
    the labels `measured`, on `n_items` real items of `n_roots` roots, averaged over the seeds.
    `wrong` is the estimated share of wrong labels among the texts.
    """

    kept: bool
    why: str
    up_to: int
    texts: int
    weight: float
    gain: BoundedEstimate
    wrong: BoundedEstimate
    measured: tuple[str, ...]
    n_items: int
    n_roots: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From the result of `as_dict`, where JSON has turned tuples into lists."""
        estimates = {name: BoundedEstimate(**values[name]) for name in ("gain", "wrong")}
        return cls(**{**values, **estimates, "measured": tuple(values["measured"])})


@dataclass(frozen=True, slots=True)
class ProbationTerms:
    """The settings of probation: a review every `every` rounds.

    `weight` is the training weight of a text that a review has kept (a human label has 1);
    `unproven` is the weight of a text that has not been reviewed yet.
    """

    every: int
    weight: float
    unproven: float

    def due(self, round_id: int, last: int | None) -> bool:
        """Whether a review is due in this round; `last` is the last one's round (None: none)."""
        return last is None or round_id - last >= self.every

    def weight_of(self, sequence: int, review: Review | None) -> float:
        """The weight of a text that was written at this ledger sequence number; `review` is the
        newest one. Once texts are refused, later texts weigh nothing either, until a review keeps
        them."""
        if review is not None and not review.kept:
            return 0.0
        reviewed = review is not None and sequence <= review.up_to
        return self.weight if reviewed else self.unproven


@dataclass(frozen=True, slots=True)
class ReviewRows:
    """n labelled rows, with `truth` (n, k), `roots` (n,) and the `names` (k,) of the labels.

    `real` (n,) flags the real items with human labels, on which everything is measured; `written`
    (n,) flags the texts under review.
    """

    truth: Labels
    real: NDArray[np.bool_]
    written: NDArray[np.bool_]
    roots: NDArray[np.str_]
    names: tuple[str, ...]

    @property
    def measurable(self) -> NDArray[np.int64]:
        """Numbers of the labels that have enough positives to measure a gain."""
        return np.flatnonzero((self.truth[self.real] == 1).sum(axis=0) >= MIN_POSITIVES)


@dataclass(frozen=True, slots=True)
class PairedRun:
    """Out-of-fold predictions on all n rows by models trained with and without the written texts,
    on the same folds.

    `with_` and `without` are probabilities (n, k); `flags` (n, k) are those of the models without.
    """

    with_: Probabilities
    without: Probabilities
    flags: Flags


def review_texts(
    rows: ReviewRows, runs: Sequence[PairedRun], *, weight: float, up_to: int, seed: int
) -> Review:
    """Reviews the written texts, given one run per seed. At least one label must be measurable.

    The texts are kept if the gain is positive, its lower bound is above -MAX_LOSS, and the lower
    bound of `wrong` is at most MAX_WRONG. The last condition is needed because, where real labels
    are few, even texts with a third of wrong labels raise average precision.
    """
    measured = rows.measurable
    roots = Roots.from_names(rows.roots[rows.real])
    gain = _gain(rows.truth[rows.real], roots, rows.real, runs, measured, seed)
    wrong = _wrong(rows, roots, [run.flags for run in runs], seed)
    kept, why = _decide(gain, wrong)
    return Review(
        kept=kept,
        why=why,
        up_to=up_to,
        texts=int(rows.written.sum()),
        weight=weight,
        gain=gain,
        wrong=wrong,
        measured=tuple(rows.names[j] for j in measured),
        n_items=int(rows.real.sum()),
        n_roots=roots.count,
    )


def _decide(gain: BoundedEstimate, wrong: BoundedEstimate) -> tuple[bool, str]:
    """Whether the texts are kept, and why."""
    figures = f"mean average precision {gain.value:+.3f}, lower bound {gain.low:+.3f}"
    if gain.value <= 0:
        return False, f"no gain: {figures}"
    if gain.low <= -MAX_LOSS:
        return False, f"a loss is not ruled out: {figures}"
    if wrong.low > MAX_WRONG:
        return False, f"at least {wrong.low:.0%} of their labels seem wrong ({figures})"
    return True, figures


def _gain(
    truth: Labels,
    roots: Roots,
    real: NDArray[np.bool_],
    runs: Sequence[PairedRun],
    measured: NDArray[np.int64],
    seed: int,
) -> BoundedEstimate:
    """The gain in mean average precision.

    The resamples are paired: both kinds of models are measured on the same draws of roots, so that
    the difficulty of an item cancels out.
    """
    gains = []
    for draws in roots.draws(seed, RESAMPLES):
        weights = draws[:, roots.of_item]
        differences = [
            _mean_average_precision(truth, run.with_[real], weights, measured)
            - _mean_average_precision(truth, run.without[real], weights, measured)
            for run in runs
        ]
        gains.append(np.mean(differences, axis=0))
    return _estimate(np.concatenate(gains))


def _mean_average_precision(
    truth: Labels, proba: Probabilities, weights: Array, labels: NDArray[np.int64]
) -> Array:
    """Average precision on each resample, averaged over these labels, (r,)."""
    areas = []
    for j in labels:
        asked = truth[:, j] >= 0
        areas.append(average_precision(truth[asked, j] == 1, proba[asked, j], weights[:, asked]))
    return np.asarray(np.mean(areas, axis=0))


def _wrong(rows: ReviewRows, roots: Roots, flags: Sequence[Flags], seed: int) -> BoundedEstimate:
    """Estimates the share of written texts with wrong labels, from how often a model that has not
    learned from them contradicts them, given its out-of-fold error rates on real items.

    Let w be the share of wrong cells among those with answer y. The model contradicts correct cells
    at its error rate e(y), and wrong ones at 1 - e(not y). So w = (contradicted - e(y)) /
    (1 - e(y) - e(not y)), as in class-conditional noise (Natarajan et al. 2013, "Learning with
    Noisy Labels"). Any threshold gives the same estimate on average. Those of the labelled rows are
    used, not those for the pool, which may flag next to nothing: labels that the model hardly
    distinguishes are ignored. The number of wrong cells is halved, since one label in place of
    another makes two cells wrong.
    """
    rng = np.random.default_rng(seed)
    m = int(rows.written.sum())
    shares: list[Array] = []
    for real_draws in roots.draws(seed, RESAMPLES):
        uniform = np.full(m, 1 / m)
        written_draws = (
            rng.multinomial(m, uniform, size=len(real_draws)) if shares else np.ones((1, m))
        )
        weights = real_draws[:, roots.of_item], written_draws.astype(float)
        wrong = [_wrong_cells(rows, weights, run_flags) for run_flags in flags]
        shares.append(np.mean(wrong, axis=0) / (2 * m))
    return _estimate(np.concatenate(shares))


def _wrong_cells(rows: ReviewRows, weights: tuple[Array, Array], flags: Flags) -> Array:
    """Estimated number of wrong cells of the written texts on each resample, (r,)."""
    real_weights, written_weights = weights
    error = flags != (rows.truth == 1)
    total = np.zeros(len(real_weights))
    for j in range(rows.truth.shape[1]):
        rates, contradicted, counts = {}, {}, {}
        for answer in (0, 1):
            cells = rows.truth[:, j] == answer
            real, written = cells[rows.real], cells[rows.written]
            rates[answer] = _rate(real_weights, real, error[rows.real, j])
            contradicted[answer] = _rate(written_weights, written, error[rows.written, j])
            counts[answer] = written_weights @ written
        discrimination = 1 - rates[0] - rates[1]
        for answer in (0, 1):
            excess = contradicted[answer] - rates[answer]
            usable = np.isfinite(excess) & (discrimination >= MIN_DISCRIMINATION)
            share = np.divide(excess, discrimination, out=np.zeros_like(excess), where=usable)
            total += np.clip(share, -1, 1) * counts[answer]
    return total


def _rate(weights: Array, cells: NDArray[np.bool_], error: NDArray[np.bool_]) -> Array:
    """Share of errors among `cells` on each resample, (r,); NaN if there are no cells."""
    total = weights @ cells
    undefined: Array = np.full(len(total), np.nan)
    return np.divide(weights @ (cells & error), total, out=undefined, where=total > 0)


def _estimate(column: Array) -> BoundedEstimate:
    resampled = column[1:][np.isfinite(column[1:])]
    low = np.quantile(resampled, TAIL) if len(resampled) else column[0]
    return BoundedEstimate(float(column[0]), float(low))
