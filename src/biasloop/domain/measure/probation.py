"""Probation: whether the texts that a language model wrote earn their place in the training data.

As a set, on real labels: the same models are trained with and without them, and judged out of fold
on real items that people labelled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.measure.metric import MIN_POSITIVES, Flags, average_precision
from biasloop.domain.measure.resample import RESAMPLES, Array, Roots

Probabilities = NDArray[np.floating]

SEEDS = 5
"""Times that the folds are drawn anew."""
TAIL = 0.10
"""Of the one-sided bounds: a lower 90 % bound."""
MAX_LOSS = 0.01
"""Loss in mean average precision that the lower bound must rule out."""
MAX_WRONG = 0.10
"""Share of wrong labels that the texts may be shown to have."""
TOLD_APART = 0.1
"""True less false positive rate from which a model's verdicts on a label count for something."""


@dataclass(frozen=True, slots=True)
class BoundedEstimate:
    """A measured value and its lower 90 % bound."""

    value: float
    low: float


@dataclass(frozen=True, slots=True)
class Review:
    """The verdict on the `texts` texts that were written up to ledger sequence number `up_to`.

    `gain` is the mean average precision with them, at `weight`, less that without, over the labels
    `measured`, on `n_items` real items of `n_roots` roots, averaged over the seeds. `wrong` is the
    estimated share of wrong labels among them.
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
        """From `as_dict`, of which JSON makes lists of tuples."""
        estimates = {name: BoundedEstimate(**values[name]) for name in ("gain", "wrong")}
        return cls(**{**values, **estimates, "measured": tuple(values["measured"])})


@dataclass(frozen=True, slots=True)
class ProbationTerms:
    """A review every `every` rounds. `weight` is that of a text that a review kept, beside 1 of a
    person's label, `unproven` that of a text that no review has judged yet."""

    every: int
    weight: float
    unproven: float

    def due(self, round_id: int, last: int | None) -> bool:
        """Whether this round holds a review, when the last was in round `last` (None: never)."""
        return last is None or round_id - last >= self.every

    def weight_of(self, sequence: int, review: Review | None) -> float:
        """Of a text that was written at this ledger sequence number, with `review` the newest one.
        After refused texts, later ones weigh nothing either, until a review keeps them."""
        if review is not None and not review.kept:
            return 0.0
        judged = review is not None and sequence <= review.up_to
        return self.weight if judged else self.unproven


@dataclass(frozen=True, slots=True)
class ReviewRows:
    """n labelled rows: `truth` (n, k); `judged` (n,), the real items that people labelled, on
    which all is measured; `written` (n,), the texts on review; `roots` (n,)."""

    truth: Labels
    judged: NDArray[np.bool_]
    written: NDArray[np.bool_]
    roots: NDArray[np.str_]
    names: tuple[str, ...]

    @property
    def measurable(self) -> NDArray[np.int64]:
        """Numbers of the labels with enough positives to measure a gain on."""
        return np.flatnonzero((self.truth[self.judged] == 1).sum(axis=0) >= MIN_POSITIVES)


@dataclass(frozen=True, slots=True)
class PairedRun:
    """Out of fold on all n rows, by models trained `with_` and `without` the written texts on the
    same folds: probabilities (n, k), and the `flags` (n, k) of those without."""

    with_: Probabilities
    without: Probabilities
    flags: Flags


def review_texts(
    rows: ReviewRows, runs: Sequence[PairedRun], *, weight: float, up_to: int, seed: int
) -> Review:
    """The verdict, from one run per seed. At least one label must be measurable.

    The texts are kept if the gain is positive, its lower bound above -MAX_LOSS, and the lower bound
    of `wrong` at most MAX_WRONG: where real labels are few, texts of which a third is labelled
    wrong still raise average precision.
    """
    measured = rows.measurable
    roots = Roots.from_names(rows.roots[rows.judged])
    gain = _gain(rows.truth[rows.judged], roots, rows.judged, runs, measured, seed)
    wrong = _wrong(rows, roots, [run.flags for run in runs], seed)
    kept, why = _verdict(gain, wrong)
    return Review(
        kept=kept,
        why=why,
        up_to=up_to,
        texts=int(rows.written.sum()),
        weight=weight,
        gain=gain,
        wrong=wrong,
        measured=tuple(rows.names[j] for j in measured),
        n_items=int(rows.judged.sum()),
        n_roots=roots.count,
    )


def _verdict(gain: BoundedEstimate, wrong: BoundedEstimate) -> tuple[bool, str]:
    told = f"mean average precision {gain.value:+.3f}, lower bound {gain.low:+.3f}"
    if gain.value <= 0:
        return False, f"no gain: {told}"
    if gain.low <= -MAX_LOSS:
        return False, f"a loss is not ruled out: {told}"
    if wrong.low > MAX_WRONG:
        return False, f"at least {wrong.low:.0%} of their labels seem wrong ({told})"
    return True, told


def _gain(
    truth: Labels,
    roots: Roots,
    judged: NDArray[np.bool_],
    runs: Sequence[PairedRun],
    measured: NDArray[np.int64],
    seed: int,
) -> BoundedEstimate:
    """Paired: with and without are measured on the same resamples of roots, so what makes an item
    hard cancels out."""
    found = []
    for draws in roots.draws(seed, RESAMPLES):
        weights = draws[:, roots.of_item]
        differences = [
            _mean_average_precision(truth, run.with_[judged], weights, measured)
            - _mean_average_precision(truth, run.without[judged], weights, measured)
            for run in runs
        ]
        found.append(np.mean(differences, axis=0))
    return _estimate(np.concatenate(found))


def _mean_average_precision(
    truth: Labels, proba: Probabilities, weights: Array, labels: NDArray[np.int64]
) -> Array:
    """Over these labels on each resample, (r,)."""
    areas = []
    for j in labels:
        asked = truth[:, j] >= 0
        areas.append(average_precision(truth[asked, j] == 1, proba[asked, j], weights[:, asked]))
    return np.asarray(np.mean(areas, axis=0))


def _wrong(rows: ReviewRows, roots: Roots, flags: Sequence[Flags], seed: int) -> BoundedEstimate:
    """Share of the written texts whose labels are wrong, told by how often a model that did not
    learn from them contradicts them, given how often it errs out of fold on real items.

    Of cells with answer y a share w is wrong; the model contradicts right ones at its error rate
    e(y) and wrong ones at 1 - e(not y), so w = (contradicted - e(y)) / (1 - e(y) - e(not y)), as
    in class-conditional noise (Natarajan et al. 2013, "Learning with Noisy Labels"). A label that
    the model hardly tells says nothing. Wrong cells are halved: one label in another's place is
    wrong twice.
    """
    rng = np.random.default_rng(seed)
    m = int(rows.written.sum())
    found: list[Array] = []
    for of_real in roots.draws(seed, RESAMPLES):
        even = np.full(m, 1 / m)
        of_written = rng.multinomial(m, even, size=len(of_real)) if found else np.ones((1, m))
        weights = of_real[:, roots.of_item], of_written.astype(float)
        wrong = [_wrong_cells(rows, weights, each) for each in flags]
        found.append(np.mean(wrong, axis=0) / (2 * m))
    return _estimate(np.concatenate(found))


def _wrong_cells(rows: ReviewRows, weights: tuple[Array, Array], flags: Flags) -> Array:
    """How many cells of the written texts are wrong on each resample, (r,)."""
    of_real, of_written = weights
    error = flags != (rows.truth == 1)
    total = np.zeros(len(of_real))
    for j in range(rows.truth.shape[1]):
        rates, contradicted, counts = {}, {}, {}
        for answer in (0, 1):
            cells = rows.truth[:, j] == answer
            real, made = cells[rows.judged], cells[rows.written]
            rates[answer] = _rate(of_real, real, error[rows.judged, j])
            contradicted[answer] = _rate(of_written, made, error[rows.written, j])
            counts[answer] = of_written @ made
        told_apart = 1 - rates[0] - rates[1]
        for answer in (0, 1):
            excess = contradicted[answer] - rates[answer]
            usable = np.isfinite(excess) & (told_apart >= TOLD_APART)
            share = np.divide(excess, told_apart, out=np.zeros_like(excess), where=usable)
            total += np.clip(share, -1, 1) * counts[answer]
    return total


def _rate(weights: Array, cells: NDArray[np.bool_], error: NDArray[np.bool_]) -> Array:
    """Share of errors among cells on each resample, (r,); NaN without cells."""
    among = weights @ cells
    unknown: Array = np.full(len(among), np.nan)
    return np.divide(weights @ (cells & error), among, out=unknown, where=among > 0)


def _estimate(column: Array) -> BoundedEstimate:
    resampled = column[1:][np.isfinite(column[1:])]
    low = np.quantile(resampled, TAIL) if len(resampled) else column[0]
    return BoundedEstimate(float(column[0]), float(low))
