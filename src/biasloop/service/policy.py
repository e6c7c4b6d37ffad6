"""The guideline's versions: what is in force, what waits for a decision, and the decisions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import AsideReason
from biasloop.domain.policy import (
    Policy,
    PolicyDecision,
    VoteAction,
    affected_versions,
    apply_decision,
    count_votes_by_policy,
    items_with_labels,
    versions_to_decide,
)
from biasloop.errors import ConfigError, LabelStudioError, LedgerError, WorkspaceError
from biasloop.service.service import Service
from biasloop.store.atomic import written_whole
from biasloop.store.control import Event
from biasloop.workspace.campaign import GUIDELINE


@dataclass(frozen=True, slots=True)
class VersionReport:
    """A version of the guideline: since when and in how many words (None where its text was never
    in force here), the votes given under it, and how many of these no longer count."""

    policy: str
    since: datetime | None
    words: int | None
    votes: int
    set_aside: int
    asked_again: int
    now: bool


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """Older versions whose votes wait for a decision."""

    versions: Sequence[str]
    votes: int


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """The version in force; the one in the campaign folder, if that is another; all versions; the
    votes that wait for a decision; and the newest decision."""

    policy: str | None
    new: str | None
    versions: Sequence[VersionReport]
    waiting: WaitingReport
    decision: PolicyDecision | None


def policy_report(service: Service, annotations: Sequence[Annotation]) -> PolicyReport:
    """What is in force, and how many votes given under each version count."""
    policies, history = service.ledger.policies, service.ledger.policies.history()
    decisions = policies.decisions()
    current = history[-1][1] if history else None
    votes = count_votes_by_policy(annotations)
    retired = Counter(a.policy_id for a in annotations if a.reason == AsideReason.OLDER_POLICY)
    again = Counter(a.policy_id for a in annotations if a.reason == AsideReason.ASKED_AGAIN)
    since = {policy.id: (at, len(policy.text.split())) for at, policy in policies.all()}
    version_ids = [*since, *sorted(votes.keys() - since.keys())]
    undecided = versions_to_decide(votes, decisions, current) if current else set()
    new = service.campaign.policy.id
    return PolicyReport(
        policy=current,
        new=new if new != current else None,
        versions=[
            VersionReport(
                policy=name,
                since=since.get(name, (None, None))[0],
                words=since.get(name, (None, None))[1],
                votes=votes[name],
                set_aside=retired[name],
                asked_again=again[name],
                now=name == current,
            )
            for name in version_ids
        ],
        waiting=WaitingReport(sorted(undecided), sum(votes[version] for version in undecided)),
        decision=decisions[-1] if decisions else None,
    )


def adopt(service: Service, draft: Policy, by: str) -> Path | None:
    """Makes a draft the guideline: in Label Studio, in the campaign folder, and in force.

    Label Studio comes first, so that nothing changes if it is down or refuses; after any failure,
    the same call does the rest. A running service uses the draft from then on. The former text is
    in the ledger; one that never came into force is copied next to it, and that path returned.
    Raises LabelStudioError, WorkspaceError.
    """
    policies, path = service.ledger.policies, service.layout.campaign / GUIDELINE
    former, current = service.campaign.policy, policies.current()
    former_copy = None
    try:
        with written_whole(path) as temporary:
            temporary.write_text(draft.text, "utf-8")  # first, because the disk may be full
            service.show_guideline(draft)
            if former.text not in {draft.text, *(policy.text for _, policy in policies.all())}:
                former_copy = path.with_stem(f"{path.stem}.{former.id}")
                former_copy.write_text(former.text, "utf-8")
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {path}: {error}; annotators will see the former guideline again from "
            "the next round on. Check disk space and permissions, then adopt it again"
        ) from error
    if current is None or current.id != draft.id:
        policies.add(draft, datetime.now(UTC))
        service.ledger.control.note(
            Event.GUIDELINE_ADOPTED, {"policy": draft.id, "by": by}, datetime.now(UTC)
        )
    service.ensure_project()  # a concurrent push may have shown the former one again
    return former_copy


def decide(
    service: Service, action: VoteAction, labels: Sequence[str], by: str
) -> tuple[PolicyDecision, int]:
    """Decides what happens to votes under older versions; with RE_ASK their tasks are shown again.

    Returns the decision and how many answers it changed. Raises ConfigError for unknown
    labels, LedgerError when there is nothing to decide.
    """
    check_labels(service, labels)
    ledger = service.ledger
    history = ledger.policies.history()
    current = service.campaign.policy.id
    if not history or history[-1][1] != current:
        raise LedgerError(
            f"guideline {current} is not in force yet, annotators still read the previous one: run "
            "`biasloop policy adopt campaign/guidelines.md`, or restart `biasloop up` or `serve`, "
            "then decide"
        )
    annotations = ledger.annotations()
    older = affected_versions(annotations, ledger.policies.decisions(), action, current)
    if not older:
        raise LedgerError("nothing to decide: no votes were given under an older guideline")
    consensus_items = {c.item_id for c in ledger.consensus() if set(c.labels) & set(labels)}

    def revise(now: list[Annotation]) -> list[Annotation]:
        return apply_decision(
            now, older, action, consensus_items | items_with_labels(now, labels) if labels else None
        )

    decision = PolicyDecision(current, older, action, tuple(labels), by, datetime.now(UTC))
    changed = ledger.policies.decide(decision, revise)
    if action is VoteAction.RE_ASK:
        _show_again(service, changed)
    return decision, changed


def check_labels(service: Service, labels: Sequence[str]) -> None:
    """Raises ConfigError for labels that the campaign does not have."""
    choices = service.campaign.scheme.choices
    if unknown := set(labels) - set(choices):
        raise ConfigError(
            f"there is no label {', '.join(sorted(unknown))}; the labels are {', '.join(choices)}"
        )


def _show_again(service: Service, answers: int) -> None:
    try:
        service.reconcile()
    except LabelStudioError as error:
        raise type(error)(
            f"the decision is recorded, and {answers} answers no longer count, but their tasks are "
            f"not shown again yet: {error}; run `biasloop reconcile` once Label Studio answers"
        ) from error
