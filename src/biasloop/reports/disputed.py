"""Items that need a second look, or had it. For `biasloop items --disputed`, its --json, and the
page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from biasloop.domain.annotation import WHY, Annotation, Standing, pseudonyms
from biasloop.domain.item import Item
from biasloop.domain.measure.metric import flag_labels
from biasloop.domain.policy import Policy, excerpt
from biasloop.domain.split import Split
from biasloop.domain.votes.dispute import Dispute, find_disputes
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import is_flagged, marked, rewrites
from biasloop.service.scenarios import newest_scores
from biasloop.service.service import Service


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """What one annotator, under a pseudonym, said: `marked` are (label, words) pairs."""

    annotator: str
    labels: Sequence[str]
    skipped: bool
    unsure: bool
    marked: Sequence[tuple[str, str]]
    rewrite: str
    policy: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """What the guideline in force says about a label: the description next to its button, and the
    section of the guideline in Markdown; each "" if there is none."""

    label: str
    description: str
    section: str


@dataclass(frozen=True, slots=True)
class VerdictReport:
    """The labels that the newest model gave, and its probability of each label that it knows."""

    labels: Sequence[str]
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """What somebody decided, under which guideline."""

    labels: Sequence[str]
    by: str
    why: str
    policy: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DisputedItem:
    """An item with its ad, what people said, and the rules in question. The verdict on an audit
    item is hidden until somebody has decided; it is None without scores as well."""

    item: str
    text: str
    ad: str
    audit: bool
    reasons: Sequence[str]
    answers: Sequence[AnswerReport]
    rules: Sequence[Rule]
    verdict: VerdictReport | None
    decision: DecisionReport | None


@dataclass(frozen=True, slots=True)
class DisputedReport:
    """Items to decide, and items that somebody decided, newest first."""

    open: Sequence[DisputedItem]
    decided: Sequence[DisputedItem]


def report(service: Service) -> DisputedReport:
    """The items that need a second look and those that had it, without what was taken down."""
    annotations = service.ledger.annotations()
    controls, policy = service.campaign.controls, service.current_policy
    flagged = {a.key for a in annotations if is_flagged(a.extra.get("result", ()), controls)}
    disputes = find_disputes(annotations, flagged, service.campaign.scheme)
    items = _items(service, disputes)
    ads = service.pool.ads(sorted({item.ad_id for item in items.values()} - {""}))
    disputes = [dispute for dispute in disputes if dispute.item_id in items]
    verdicts = _verdicts(
        service, [d.item_id for d in disputes if may_show_verdict(items[d.item_id], d)]
    )
    names = pseudonyms((a.key, a.annotator) for a in annotations if a.task_id is not None)
    reported = [
        DisputedItem(
            item=item.id,
            text=item.text,
            ad=ads[item.ad_id].text if item.ad_id in ads else "",
            audit=item.split is Split.AUDIT,
            reasons=[str(reason) for reason in dispute.reasons],
            answers=[_answer(a, names, a.key in flagged, item, controls) for a in dispute.answers],
            rules=[_rule(policy, label) for label in dispute.labels],
            verdict=verdicts.get(item.id),
            decision=_decision(dispute.decision) if dispute.decision else None,
        )
        for dispute in disputes
        for item in [items[dispute.item_id]]
    ]
    return DisputedReport(
        open=[item for item in reported if item.decision is None],
        decided=[item for item in reported if item.decision],
    )


def may_show_verdict(item: Item, dispute: Dispute) -> bool:
    """Whether the model's verdict may be shown: audit items measure the model, so nobody who still
    has to decide about one may see what it says."""
    return dispute.decision is not None or item.split is not Split.AUDIT


def _items(service: Service, disputes: Sequence[Dispute]) -> dict[str, Item]:
    """The items that are still in the pool and were not taken down, by id."""
    rows = service.pool.rows_of([dispute.item_id for dispute in disputes])
    return {item.id: item for item in service.pool.items(rows[rows >= 0]) if item.text}


def _answer(
    answer: Annotation, names: Mapping[str, str], unsure: bool, item: Item, controls: LabelConfig
) -> AnswerReport:
    result = answer.extra.get("result", ())
    return AnswerReport(
        annotator=names.get(answer.annotator, answer.annotator),
        labels=answer.labels,
        skipped=answer.standing is Standing.SKIP,
        unsure=unsure,
        marked=[
            (span.label, item.text[span.start : span.end])
            for span in marked(result, controls, item.text)
        ],
        rewrite="\n".join(rewrites(result, controls)),
        policy=answer.policy_id,
        at=answer.at,
    )


def _rule(policy: Policy, label: str) -> Rule:
    section = excerpt(policy.text, [label])
    whole = section == policy.text.strip()  # no heading names a label
    return Rule(label, policy.labels.get(label, ""), "" if whole else section)


def _decision(decision: Annotation) -> DecisionReport:
    return DecisionReport(
        labels=decision.labels,
        by=decision.annotator,
        why=str(decision.extra.get(WHY, "")),
        policy=decision.policy_id,
        at=decision.at,
    )


def _verdicts(service: Service, item_ids: Sequence[str]) -> dict[str, VerdictReport]:
    """What the newest scores say of these items, as far as they were scored."""
    rows = np.sort(service.pool.rows_of(item_ids))
    scored = newest_scores(service, rows) if len(rows) else None
    if scored is None:
        return {}
    proba, scheme = scored.scores.arrays["proba"], service.campaign.scheme
    flags = flag_labels(proba, scored.scores.thresholds, scheme.multi)
    none = (scheme.none_label,) if scheme.none_label else ()
    return {
        item.id: VerdictReport(
            labels=tuple(np.array(scored.labels)[flags[i]].tolist()) or none,
            probabilities=dict(zip(scored.labels, proba[i].round(4).tolist(), strict=True)),
        )
        for i, item in enumerate(service.pool.items(scored.rows))
    }
