"""What is going on, as plain data: for `biasloop status`, its --json, and the page."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import BY_POLICY, LabelSource
from biasloop.domain.round import OVER, Round, may_open
from biasloop.domain.votes.pace import Pace, pace
from biasloop.domain.votes.vote import answered
from biasloop.reports.annotators import answers, known_answers
from biasloop.rounds.scheduler import TROUBLE
from biasloop.service.policy import policy_report
from biasloop.service.service import PROJECT, Service
from biasloop.store.ledger import Ledger

REFUSED_SHOWN = 20
"""Refused texts on the page, the newest."""


def overview(service: Service) -> dict[str, Any]:
    """Everything an engineer looks at first. Times are aware UTC datetimes."""
    ledger = service.ledger
    now = datetime.now(UTC)
    rounds = ledger.rounds.all()
    annotations = ledger.annotations()
    done = answered(annotations, service.settings.votes.per_item)
    gold, timed = known_answers(annotations), pace(answers(annotations))
    situation = service.situation(now)
    in_service = ledger.in_service()
    return {
        "campaign": service.campaign.about.title,
        "workspace": str(service.layout.folder),
        "loop": situation.pause,
        "next_round": may_open(service.settings.opening, situation) or "opens at the next tick",
        "budget": {"asked": situation.labels, "of": service.settings.loop.budget},
        "label_studio": {
            "url": service.label_studio_url,
            "project": ledger.bookmark(PROJECT),
            "trouble": ledger.bookmark(TROUBLE),
        },
        "pool": asdict(service.pool.stats()),
        "labels": _labels(annotations, gold),
        "gold": _gold(service, gold),
        "pace": timed
        and {
            "minutes_per_item": timed.per_item / 60,
            "hours": timed.total / 3600,
        },
        "last_label_at": max((a.at for a in annotations if _is_human_vote(a)), default=None),
        "set_aside": [
            {
                "item": a.item_id,
                "annotator": a.annotator,
                "reason": a.reason,
                "task": a.task_id,
                "open": a.item_id not in done,
            }
            for a in annotations
            if a.standing is Standing.ASIDE and a.reason not in BY_POLICY
        ],
        "guideline": policy_report(service, annotations),
        "open_tasks": _open_tasks(service, done),
        "model_in_service": in_service.id if in_service else None,
        "model_policies": in_service.card.get("policies", {}) if in_service else {},
        "promotion": _newest(rounds, "promotion"),
        "stopping": _newest(rounds, "stopping"),
        "rounds": _rounds(rounds, ledger.selections(), done),
        "curve": curve(service),
        "evaluation": (evaluation := _evaluation(ledger)),
        "savings": (savings := evaluation and evaluation["report"].get("savings")),
        "hours_saved": _hours_saved(savings, timed),
        "synthesis": _synthesis(ledger, rounds),
        "probation": _probation(service, rounds, annotations),
        "events": ledger.events(20),
    }


def curve(service: Service) -> list[dict[str, Any]]:
    """The learning curve: for every evaluated round its human labels, and micro F1 with interval
    on the audit items it had (None where not measurable)."""
    models = {model.id: model for _, _, model in service.ledger.models()}
    return [
        {
            "round": round_id,
            "model": found.model_id,
            "labels": models[found.model_id].card["rows"].get(LabelSource.HUMAN, 0),
            "audit_items": found.report["audit"]["n_items"],
            "micro_f1": found.report["audit"]["micro"],
            "macro_f1": found.report["audit"]["macro"],
            "cells": found.report["audit"]["labels"],
        }
        for round_id, found in service.ledger.evaluations()
    ]


def decisions(ledger: Ledger) -> dict[str, str]:
    """Why each model went into service, or did not, by its id."""
    found = [r.facts["promotion"] for r in ledger.rounds.all() if "promotion" in r.facts]
    return {decision["model_id"]: f"not promoted: {decision['why']}" for decision in found} | {
        promotion.model_id: promotion.why for _, promotion in ledger.promotions()
    }


def _newest(rounds: Sequence[Round], fact: str) -> Any:
    """What the newest round that recorded such a fact says; None before that."""
    return next((r.facts[fact] for r in reversed(rounds) if fact in r.facts), None)


def _rounds(
    rounds: Iterable[Round], selections: Iterable[tuple[int, Selection]], answered: set[str]
) -> list[dict[str, Any]]:
    batches: dict[int, list[Selection]] = defaultdict(list)
    for round_id, selection in selections:
        batches[round_id].append(selection)
    return [_round(r, batches[r.id], answered) for r in rounds]


def _round(round_: Round, batch: list[Selection], answered: set[str]) -> dict[str, Any]:
    return {
        "id": round_.id,
        "state": str(round_.state),
        "step": round_.step,
        "waits_for": round_.waits_for,
        "error": round_.error,
        "attempts": round_.attempts,
        "retry_at": round_.retry_at,
        "opened_at": round_.opened_at,
        "closed_at": round_.closed_at,
        "over": round_.state in OVER,
        "asked": len(batch),
        "answered": sum(s.item_id in answered for s in batch),
        "arms": dict(Counter(str(s.arm) for s in batch)),
        "facts": dict(round_.facts),
    }


def _evaluation(ledger: Ledger) -> dict[str, Any] | None:
    """The newest audit report, whole: with the model that was in service beside it."""
    found = ledger.evaluations()
    if not found:
        return None
    round_id, newest = found[-1]
    return {"round": round_id, **asdict(newest)}


def _synthesis(ledger: Ledger, rounds: Iterable[Round]) -> dict[str, Any]:
    """What a language model wrote: the newest round's record by expander, and refused texts."""
    records = [(r.id, r.facts["synthesis"]) for r in rounds if "synthesis" in r.facts]
    round_id, newest = records[-1] if records else (None, {})
    return {"round": round_id, "by_expander": newest, "refused": ledger.rejections(REFUSED_SHOWN)}


def _probation(
    service: Service, rounds: Sequence[Round], annotations: Iterable[Annotation]
) -> dict[str, Any] | None:
    """Which weight the texts of language models have now, and why; None: there are none."""
    written = [a.seq for a in annotations if a.source is LabelSource.LLM]
    if not written:
        return None
    reviews = service.ledger.reviews()
    round_id, review = reviews[-1] if reviews else (None, None)
    terms = service.settings.probation_terms
    weights = Counter(terms.weight_of(sequence, review) for sequence in written)
    reviewed = _newest(rounds, "probation")
    return {
        "texts": len(written),
        "teach": sum(n for weight, n in weights.items() if weight > 0),
        "weights": {str(weight): n for weight, n in weights.items()},
        "round": round_id,
        "review": review and review.as_dict(),
        "unmeasured": reviewed["why"] if reviewed and reviewed["kept"] is None else None,
    }


def _is_human_vote(annotation: Annotation) -> bool:
    """Whether a person voted, be it under a guideline whose votes were set aside."""
    voted = annotation.standing is Standing.VOTE or annotation.reason in BY_POLICY
    return annotation.source is LabelSource.HUMAN and voted


def _labels(annotations: list[Annotation], gold: Collection[str]) -> dict[str, int]:
    """Labelled items by source; a source is never counted as another, and gold items not at all."""
    items = {
        (str(a.source), a.item_id)
        for a in annotations
        if a.standing is Standing.VOTE and a.item_id not in gold
    }
    return dict(Counter(source for source, _ in items))


def _hours_saved(savings: Mapping[str, Any] | None, timed: Pace | None) -> dict[str, float] | None:
    """The labels saved, as hours of people's time with bounds; None where either is unknown."""
    if not savings or savings["saved"] is None or timed is None:
        return None
    labels = savings["points"][-1]["labels"]
    return {name: timed.hours_for(labels * share) for name, share in savings["saved"].items()}


def _gold(service: Service, gold: Collection[str]) -> dict[str, Any] | None:
    """Gold items and how many nobody was asked about yet; None where none are mixed in."""
    share = service.settings.loop.gold_share
    if not share:
        return None
    asked = {s.item_id for _, s in service.ledger.live_selections()}
    return {"share": share, "items": len(gold), "left": len(set(gold) - asked)}


def _open_tasks(service: Service, answered: set[str]) -> dict[str, int]:
    """Tasks that wait for people: all, and those of the audit arm."""
    pushed = set(service.ledger.task_ids()) - answered
    waiting = [s for _, s in service.ledger.live_selections() if s.item_id in pushed]
    return {"all": len(waiting), "audit": sum(s.arm is Arm.AUDIT for s in waiting)}
