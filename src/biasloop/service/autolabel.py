"""Labels the rest of the pool by machine, as far as the audit carries it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from biasloop.domain.batch import Arm
from biasloop.domain.label import MISSING
from biasloop.domain.measure.autolabel import AuditFrame, Certificate, certify
from biasloop.domain.measure.resample import Array
from biasloop.errors import DataError
from biasloop.rounds.design import read_design
from biasloop.rounds.scorer import scoring_model
from biasloop.service.measured_pool import MeasuredPool, measure_pool
from biasloop.service.service import Service
from biasloop.store.machine_labels import Bound, MachineLabels, MachineLabelStore

TICKETS = 0x7469636B
"""Part of the seed of `AuditFrame.ticket`: its random numbers must not be those by which items are
drawn."""


@dataclass(frozen=True, slots=True)
class Autolabelled:
    """The outcome: of `items` real items, `labelled` by people and `machine` by the machine,
    `positives` of these with the label; the others are left. `audited` audit items have an answer
    about the label."""

    bound: Bound
    items: int
    labelled: int
    machine: int
    positives: int
    audited: int

    @property
    def left(self) -> int:
        """Items that nobody has labelled."""
        return self.items - self.labelled - self.machine


@dataclass(frozen=True, slots=True)
class MachineReport:
    """The labels of one file: how many items, how many with the label, and whether a newer model
    scores the pool by now."""

    bound: Bound
    machine: int
    positives: int
    older_model: bool


def autolabel(service: Service, label: str, risk: float, delta: float) -> Autolabelled:
    """Labels what the audit lets the newest model label, and writes it to the file of the label.

    Raises DataError, which says how many audit labels it would take, if the audit cannot carry it;
    an older file of the label then stays.
    """
    pool = measure_pool(service)
    if pool.verdicts is None:
        raise DataError(f"nothing can be labelled by machine: {pool.why_not}")
    j = service.campaign.scheme.labels.index(label)
    guess = pool.guesses(j)
    if guess is None:
        raise DataError(f"model {pool.verdicts.model} does not know the label {label} yet")
    sure, scored = np.maximum(guess, 1 - guess), pool.verdicts.scored
    frame = _read_frame(service, pool, j, guess)
    certificate = certify(frame, sure[scored], risk, delta)
    step = certificate.chosen
    if step is None:
        raise DataError(_explain_refusal(label, risk, delta, frame, certificate))
    bound = Bound(label, risk, delta, step.confidence, pool.verdicts.model, step.kept, step.errors)
    people = (pool.labels != MISSING).any(axis=1)
    chosen = np.flatnonzero((sure >= step.confidence) & scored & ~people)
    has = guess[chosen] >= 0.5
    ids = service.pool.column("id")[pool.rows[chosen]].tolist()
    MachineLabelStore(service.layout.machine_labels).write(
        MachineLabels.from_items(bound, ids, has)
    )
    return Autolabelled(
        bound,
        items=len(pool.rows),
        labelled=int(people.sum()),
        machine=len(chosen),
        positives=int(has.sum()),
        audited=int(frame.answered.sum()),
    )


def report_machine_labels(service: Service) -> Sequence[MachineReport]:
    """What the files of the workspace hold."""
    return [
        MachineReport(
            labels.bound,
            len(labels.table),
            int(np.count_nonzero(labels.table["has"].to_numpy())),
            is_of_older_model(service, labels.bound),
        )
        for labels in MachineLabelStore(service.layout.machine_labels).all()
    ]


def is_of_older_model(service: Service, bound: Bound) -> bool:
    """Whether a newer model scores the pool by now."""
    newest = scoring_model(service.ledger)
    return newest is not None and newest.id != bound.model


def drop_machine_labels(service: Service, labels: Collection[str]) -> Sequence[str]:
    """Deletes the files of these labels; returns the labels that had one."""
    store = MachineLabelStore(service.layout.machine_labels)
    return [label for label in labels if store.drop(label)]


def _read_frame(service: Service, pool: MeasuredPool, label: int, guess: Array) -> AuditFrame:
    """The real items that the audit may draw and that the model scored."""
    assert pool.verdicts is not None
    scored = pool.verdicts.scored
    chance = read_design(service.ledger, service.pool, Arm.AUDIT).probability[pool.rows]
    at = np.flatnonzero((chance > 0) & scored)
    sampled = np.zeros(len(pool.rows), dtype=bool)
    sampled[pool.sample] = True
    answers = pool.labels[at, label]
    tickets = np.random.default_rng([service.settings.seed, TICKETS]).random(len(service.pool))
    return AuditFrame(
        confidence=np.maximum(guess, 1 - guess)[at],
        chance=chance[at],
        ads=pool.ads[at],
        answered=sampled[at] & (answers != MISSING),
        wrong=(guess[at] >= 0.5) != (answers == 1),
        ticket=tickets[pool.rows[at]],
    )


def _explain_refusal(
    label: str, risk: float, delta: float, frame: AuditFrame, certificate: Certificate
) -> str:
    cannot = (
        f"{int(frame.answered.sum())} audit labels cannot show that at most {risk:.1%} of the "
        f"machine's labels for {label} are wrong (with a chance of {1 - delta:.0%})"
    )
    if certificate.needed_ads is not None:
        return (
            f"{cannot}: they are of {len(np.unique(frame.ads))} audit ads at most, and it would "
            f"take about {certificate.needed_ads}; import more ads (a fifth become audit ads), "
            "or accept a higher --risk"
        )
    if certificate.needed is None:
        return (
            f"{cannot}: even its surest verdicts are wrong too often, so that more audit labels "
            "would hardly help; train a better model, or accept a higher --risk"
        )
    return (
        f"{cannot}: it would take about {certificate.needed}; go on labelling "
        "(`loop.audit_share` says how much of a batch is audited), or accept a higher --risk"
    )
