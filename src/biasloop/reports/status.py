"""The state of a campaign, for `biasloop status`, its --json, and the page."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm
from biasloop.domain.label import BY_POLICY, LabelSource
from biasloop.domain.measure.resample import Interval
from biasloop.domain.round import PauseState, reason_not_to_open
from biasloop.domain.votes.pace import Pace, measure_pace
from biasloop.domain.votes.vote import answered_items
from biasloop.reports.annotators import answers, known_answers
from biasloop.reports.curve import CurvePoint, curve, shown_figures
from biasloop.reports.liveness import ServiceReport, service_report
from biasloop.reports.rounds import RoundReport, report_rounds
from biasloop.reports.synthesis import (
    ProbationReport,
    SynthesisReport,
    newest,
    probation,
    synthesis,
)
from biasloop.rounds.losses import describe_losses
from biasloop.rounds.scorer import scoring_model
from biasloop.service.autolabel import MachineReport, report_machine_labels
from biasloop.service.policy import PolicyReport, policy_report
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.store.ledger import Ledger
from biasloop.store.pool import PoolStats

Facts = Mapping[str, Any]
"""What a step recorded in the ledger, unchanged."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many items people were asked about, and how many they may be asked about."""

    asked: int
    of: int


@dataclass(frozen=True, slots=True)
class LabelStudioReport:
    """Where Label Studio is, our project there, and why it cannot be polled (None: it can).

    `lost` is the question what becomes of answers that are gone (None: too few are), `unreadable`
    the item of each task with an answer that Label Studio cannot list, `gateway` the address at
    which annotators label (None: in Label Studio itself).
    """

    url: str
    project: int | None
    trouble: str | None
    lost: str | None
    unreadable: Mapping[str, str]
    gateway: str | None


@dataclass(frozen=True, slots=True)
class GoldReport:
    """The share of gold items in a batch, how many there are, and how many are still unused."""

    share: float
    items: int
    left: int


@dataclass(frozen=True, slots=True)
class PaceReport:
    """How long people take."""

    minutes_per_item: float
    hours: float


@dataclass(frozen=True, slots=True)
class AsideReport:
    """An answer that does not count; `open`: its item is still to be answered."""

    item: str
    annotator: str
    reason: str
    task: int | None
    open: bool


@dataclass(frozen=True, slots=True)
class OpenTasks:
    """Tasks that wait for people: all, and those of the audit arm."""

    all: int
    audit: int


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The newest audit report, with the model that was in service next to it."""

    round: int | None
    model_id: str
    baseline_id: str | None
    report: Facts


@dataclass(frozen=True, slots=True)
class Overview:
    """What an engineer looks at first. Times are aware UTC datetimes. None: it does not exist yet,
    or cannot be measured."""

    campaign: str
    workspace: str
    loop: PauseState
    service: ServiceReport
    next_round: str
    budget: Budget
    label_studio: LabelStudioReport
    pool: PoolStats
    labels: Mapping[str, int]
    gold: GoldReport | None
    pace: PaceReport | None
    last_label_at: datetime | None
    set_aside: Sequence[AsideReport]
    guideline: PolicyReport
    open_tasks: OpenTasks
    model_in_service: str | None
    scoring_model: str | None
    model_policies: Mapping[str, int]
    machine_labels: Sequence[MachineReport]
    promotion: Facts | None
    stopping: Facts | None
    rounds: Sequence[RoundReport]
    curve: Sequence[CurvePoint]
    evaluation: EvaluationReport | None
    savings: Facts | None
    hours_saved: Interval | None
    expanders: Sequence[str]
    synthesis: SynthesisReport
    probation: ProbationReport | None
    events: Sequence[Facts]


def overview(service: Service) -> Overview:
    """The state of the campaign now."""
    ledger = service.ledger
    rounds = ledger.rounds.all()
    annotations = ledger.annotations()
    done = answered_items(annotations, service.settings.votes.per_item)
    gold, pace = known_answers(annotations), measure_pace(answers(annotations))
    now = datetime.now(UTC)
    situation, running = service.situation(now), service_report(service, now)
    in_service, scorer = ledger.models.in_service(), scoring_model(ledger)
    evaluation = _evaluation(ledger)
    savings = evaluation.report.get("savings") if evaluation else None
    return Overview(
        campaign=service.campaign.about.title,
        workspace=str(service.layout.folder),
        loop=situation.pause,
        service=running,
        next_round=reason_not_to_open(service.settings.opening, situation)
        or ("opens at the next tick" if running.running else "opens once a service runs"),
        budget=Budget(situation.labels, service.settings.loop.budget),
        label_studio=_label_studio(service),
        pool=service.pool.stats(),
        labels=_labels(annotations, gold),
        gold=_gold(service, gold),
        pace=PaceReport(pace.per_item / 60, pace.total / 3600) if pace else None,
        last_label_at=max((a.at for a in annotations if _is_human_vote(a)), default=None),
        set_aside=_set_aside(annotations, done),
        guideline=policy_report(service, annotations),
        open_tasks=_open_tasks(service, done),
        model_in_service=in_service.id if in_service else None,
        scoring_model=scorer.id if scorer else None,
        model_policies=in_service.card.get("policies", {}) if in_service else {},
        machine_labels=report_machine_labels(service),
        promotion=newest(rounds, "promotion"),
        stopping=newest(rounds, "stopping"),
        rounds=report_rounds(rounds, ledger.selections(), done),
        curve=curve(service),
        evaluation=evaluation,
        savings=savings,
        hours_saved=_hours_saved(savings, pace),
        expanders=service.settings.expander.names,
        synthesis=synthesis(ledger, rounds),
        probation=probation(service, rounds, annotations),
        events=ledger.control.events(20),
    )


def _label_studio(service: Service) -> LabelStudioReport:
    control = service.ledger.control
    losses = control.bookmark(Bookmark.LOSSES)
    return LabelStudioReport(
        service.label_studio_url,
        control.bookmark(Bookmark.PROJECT),
        control.bookmark(Bookmark.TROUBLE),
        describe_losses(losses) if losses else None,
        control.bookmark(Bookmark.UNREADABLE) or {},
        service.settings.gateway.address if service.settings.has_gateway else None,
    )


def _set_aside(annotations: Iterable[Annotation], done: Collection[str]) -> list[AsideReport]:
    return [
        AsideReport(a.item_id, a.annotator, a.reason, a.task_id, a.item_id not in done)
        for a in annotations
        if a.standing is Standing.ASIDE and a.reason not in BY_POLICY
    ]


def _evaluation(ledger: Ledger) -> EvaluationReport | None:
    evaluations = ledger.models.evaluations()
    if not evaluations:
        return None
    round_id, newest = evaluations[-1]
    return EvaluationReport(
        round_id, newest.model_id, newest.baseline_id, shown_figures(newest.report)
    )


def _is_human_vote(annotation: Annotation) -> bool:
    """Whether it is a person's vote, even one set aside because of an older guideline."""
    voted = annotation.standing is Standing.VOTE or annotation.reason in BY_POLICY
    return annotation.source is LabelSource.HUMAN and voted


def _labels(annotations: Iterable[Annotation], gold: Collection[str]) -> dict[str, int]:
    """Number of labelled items by source, without gold items."""
    items = dict.fromkeys(  # unlike a set, keeps the order
        (str(a.source), a.item_id)
        for a in annotations
        if a.standing is Standing.VOTE and a.item_id not in gold
    )
    return dict(Counter(source for source, _ in items))


def _hours_saved(savings: Facts | None, pace: Pace | None) -> Interval | None:
    """The labels saved, in hours of people's time; None if labels saved or pace are unknown."""
    if not savings or savings["saved"] is None or pace is None:
        return None
    labels = savings["points"][-1]["labels"]
    return Interval(**{k: pace.hours_for(labels * v) for k, v in savings["saved"].items()})


def _gold(service: Service, gold: Collection[str]) -> GoldReport | None:
    """None where no gold items are mixed in."""
    share = service.settings.loop.gold_share
    if not share:
        return None
    asked = {s.item_id for _, s in service.ledger.live_selections()}
    return GoldReport(share, len(gold), len(set(gold) - asked))


def _open_tasks(service: Service, done: Collection[str]) -> OpenTasks:
    pushed = set(service.ledger.task_ids()) - set(done)
    waiting = [s for _, s in service.ledger.live_selections() if s.item_id in pushed]
    return OpenTasks(len(waiting), sum(s.arm is Arm.AUDIT for s in waiting))
