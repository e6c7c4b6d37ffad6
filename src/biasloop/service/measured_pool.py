"""What is known of every real item of the pool, for figures about the whole pool: people's labels
of the audit sample, and what the newest model says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Arm, Rows
from biasloop.domain.item import Origin
from biasloop.domain.label import BY_PEOPLE, MISSING, Labels
from biasloop.domain.measure.metric import Flags, flag_labels
from biasloop.domain.measure.prevalence import AuditedItems
from biasloop.domain.measure.resample import Array
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import resolve_item_labels
from biasloop.rounds.design import read_design
from biasloop.rounds.steps.stored_verdicts import proba_columns, read_verdicts, verdicts_path
from biasloop.service.scenarios import newest_scores
from biasloop.service.service import Service


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the model `model` says of N items and k labels: probabilities (N, k), NaN where it does
    not know the label, and `thresholds` (k,). Items that it learned from have the probabilities of
    models that had not seen their root. Items that were not `scored`, (N,), have the mean."""

    model: str
    proba: Array
    thresholds: Array
    scored: NDArray[np.bool_]
    multi: bool

    @property
    def missing(self) -> int:
        """How many items were not scored."""
        return int(np.count_nonzero(~self.scored))

    @property
    def flags(self) -> Flags:
        """Which labels it flags, (N, k)."""
        return flag_labels(np.nan_to_num(self.proba, nan=0.0), self.thresholds, self.multi)


@dataclass(frozen=True, slots=True)
class MeasuredPool:
    """The N real items of the pool: their `rows`, the number of the `ads` that they are of, and
    `labels` by people (N, k), -1 where there are none.

    `sample` (n,) are the positions of the labelled items of the audit sample, `chance` (n,) is that
    of being in it, and `unanswered` counts those without a label. `copies` are pairs of a number in
    the sample and the position of an audit item with the same text, itself included: the audit asks
    about a text once. `verdicts` is None where the model's cannot be used, and `why_not` says why.
    """

    rows: Rows
    ads: NDArray[np.int64]
    labels: Labels
    sample: Rows
    chance: Array
    unanswered: int
    copies: tuple[Rows, Rows]
    verdicts: Verdicts | None
    why_not: str

    def guesses(self, label: int) -> Array | None:
        """The model's probabilities of a label, (N,); None if they cannot be used."""
        if self.verdicts is None or np.isnan(self.verdicts.proba[:, label]).any():
            return None
        return self.verdicts.proba[:, label]

    def audited(self, label: int, weight: Array, size: Array) -> AuditedItems:
        """The audit sample for a label; `weight` and `size` (N,) are those of all items, and each
        audited one stands for its copies."""
        item, position = self.copies
        n, guess = len(self.sample), self.guesses(label)
        of_sample = [np.bincount(item, each[position], n) for each in (weight, size)]
        answers = self.labels[self.sample, label]
        use = (answers != MISSING) & (of_sample[1] > 0)
        return AuditedItems(
            yes=answers[use] == 1,
            guess=np.zeros(use.sum()) if guess is None else guess[self.sample][use],
            chance=self.chance[use],
            ads=self.ads[self.sample][use],
            weight=of_sample[0][use],
            size=of_sample[1][use],
        )


def measure_pool(service: Service) -> MeasuredPool:
    """Reads pool, labels, audit sample and verdicts."""
    pool = service.pool
    real = (pool.column("origin") == Origin.REAL) & ~pool.column("erased")
    rows: Rows = np.flatnonzero(real)
    position = np.full(len(real), -1)
    position[rows] = np.arange(len(rows))
    labels = _labels(service, position, len(rows))
    design = read_design(service.ledger, pool, Arm.AUDIT)
    drawn = position[np.flatnonzero(design.sampled & real)]
    sample: Rows = drawn[(labels[drawn] != MISSING).any(axis=1)]
    verdicts, why_not = _verdicts(service, rows, position)
    return MeasuredPool(
        rows=rows,
        ads=np.unique(pool.column("root")[rows], return_inverse=True)[1].astype(np.int64),
        labels=labels,
        sample=sample,
        chance=design.probability[rows[sample]],
        unanswered=len(drawn) - len(sample),
        copies=_copies(service, rows, sample),
        verdicts=verdicts,
        why_not=why_not,
    )


def _labels(service: Service, position: Rows, n: int) -> Labels:
    scheme = service.campaign.scheme
    resolved = resolve_item_labels(
        service.ledger.annotations(), scheme, service.settings.votes.consensus
    )
    by_people = {item: label for item, label in resolved.items() if label.source in BY_PEOPLE}
    rows = service.pool.rows_of(list(by_people))
    matrix = scheme.encode(
        [label.labels for label in by_people.values()],
        [label.asked for label in by_people.values()],
    )
    here = rows >= 0
    here[here] = position[rows[here]] >= 0
    labels = np.full((n, len(scheme.labels)), MISSING, np.int8)
    labels[position[rows[here]]] = matrix[here]
    return labels


def _copies(service: Service, rows: Rows, sample: Rows) -> tuple[Rows, Rows]:
    """Pairs of (number in the sample, position of an audit item with its text)."""
    hashes = service.pool.column("text_hash")[rows]
    audit = np.flatnonzero(service.pool.column("split")[rows] == Split.AUDIT)
    order = np.argsort(hashes[sample], kind="stable")
    known = hashes[sample][order]
    at = np.searchsorted(known, hashes[audit])
    same = at < len(known)
    same[same] = known[at[same]] == hashes[audit[same]]
    return order[at[same]], audit[same]


def _verdicts(service: Service, rows: Rows, position: Rows) -> tuple[Verdicts | None, str]:
    scored = newest_scores(service, rows) if len(rows) else None
    if scored is None or not len(scored.rows):
        return None, "no round has scored the pool with probabilities yet; `biasloop up` runs one"
    scheme = service.campaign.scheme
    proba = np.full((len(rows), len(scheme.labels)), np.nan)
    proba[position[scored.rows]] = scheme.align(
        scored.scores.arrays["proba"].astype(np.float64), scored.labels, np.nan
    )
    out_of_fold = read_verdicts(verdicts_path(service.layout.models, scored.model, "oof"), scheme)
    learned = service.ledger.models.trained_on(scored.model)
    of_learned = service.pool.rows_of(learned)
    here = (of_learned >= 0) & (position[of_learned] >= 0)
    if here.any():
        names = proba_columns(scored.labels)
        if out_of_fold is None or not set(names) <= set(out_of_fold.columns):
            return None, (
                f"model {scored.model} is of a version that did not keep its out-of-fold "
                "probabilities; they are used from the next model on"
            )
        table = out_of_fold.set_index("item_id").reindex(np.array(learned)[here])
        proba[position[of_learned[here]]] = scheme.align(
            table[names].to_numpy(np.float64), scored.labels, np.nan
        )
    missing = np.isnan(proba).all(axis=1)
    proba[missing] = proba[~missing].mean(axis=0)
    thresholds = scheme.align(
        scored.scores.thresholds.astype(np.float64)[None], scored.labels, np.inf
    )[0]
    return Verdicts(scored.model, proba, thresholds, ~missing, scheme.multi), ""
