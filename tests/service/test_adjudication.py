"""What a named person decides outweighs the votes on an item, everywhere, and the votes stay."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Item
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.metric import MIN_POSITIVES
from biasloop.domain.policy import Policy, VoteAction, apply_decision
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import Consensus, ConsensusMethod, resolve_item_labels
from biasloop.errors import DataError, PoolError
from biasloop.reports import annotators
from biasloop.reports.export.votes import ADJUDICATOR
from biasloop.rounds.steps.aggregate import aggregate
from biasloop.rounds.steps.candidates import labelled_rows
from biasloop.rounds.steps.evaluate.audit import audit_set
from biasloop.rounds.steps.train.data import training_data
from biasloop.service.adjudication import adjudicate
from biasloop.service.importing import import_file
from biasloop.service.labels import label_uses, rename
from biasloop.service.service import Service
from biasloop.service.takedown import take_down
from biasloop.service.undo import undo
from support.annotations import AT, vote
from support.cli import write_jsonl
from support.exports import exported
from support.workspaces import CopyBare

WHY = "“Waiter” names one gender only."


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    service = Service(copy_bare(tmp_path / "w", "job_ads_en", 0))
    ads = [{"id": f"ad-{n}", "text": f"Waiter wanted for place {n}."} for n in range(40)]
    import_file(service, write_jsonl(service.layout.folder / "in.jsonl", *ads))
    yield service
    service.close()


def items(service: Service, split: Split = Split.TRAIN) -> list[Item]:
    return [i for i in service.pool.items(range(len(service.pool))) if i.ad_id and i.split is split]


def say(service: Service, item: Item, who: str, *labels: str, **facts: Any) -> Annotation:
    """Somebody answers in Label Studio."""
    number = service.ledger.sequence() + 1
    facts = {
        "key": f"ls:{number}",
        "task_id": number,
        "asked": service.campaign.scheme.labels,
        "policy_id": service.current_policy.id,
    } | facts
    answer = vote(item.id, *labels, annotator=who, **facts)
    service.ledger.record([answer])
    return answer


def disagree(service: Service, item: Item) -> None:
    say(service, item, "anna@example.org", "age")
    say(service, item, "bea@example.org", "inclusive")


def decide(service: Service, item: Item, *labels: str, by: str = "Rita", why: str = WHY) -> None:
    adjudicate(service, item.id, labels or ("gender",), by, why)


def resolved(service: Service) -> dict[str, tuple[LabelSource, tuple[str, ...]]]:
    found = resolve_item_labels(
        service.ledger.annotations(), service.campaign.scheme, ConsensusMethod.MAJORITY
    )
    return {item: (label.source, label.labels) for item, label in found.items()}


def consensus_step(service: Service, known: list[Consensus]) -> list[Consensus]:
    done = aggregate(
        annotations=service.ledger.annotations(),
        known=known,
        scheme=service.campaign.scheme,
        method=ConsensusMethod.MAJORITY,
        sequence=service.ledger.sequence(),
    )
    return list(done.records)


def test_the_consensus_is_what_was_decided_and_the_votes_stay(service: Service) -> None:
    item = items(service)[0]
    disagree(service, item)
    (before,) = consensus_step(service, [])
    assert before.labels == ("age",)
    decide(service, item)
    (after,) = consensus_step(service, [before])
    assert (after.labels, after.votes, after.support) == (("gender",), 2, before.support)
    assert consensus_step(service, [after]) == []
    human = [a for a in service.ledger.annotations() if a.source is LabelSource.HUMAN]
    assert [a.standing for a in human] == [Standing.VOTE] * 2


def test_a_decision_without_votes_and_its_end(service: Service) -> None:
    item = items(service)[0]
    answer = say(service, item, "anna@example.org", standing=Standing.SKIP)
    decide(service, item, "gender", "age")
    (decided,) = consensus_step(service, [])
    assert (decided.labels, decided.votes) == (("gender", "age"), 0)
    older = {answer.policy_id}
    service.ledger.record(apply_decision(service.ledger.annotations(), older, VoteAction.SET_ASIDE))
    (ended,) = consensus_step(service, [decided])
    assert (ended.labels, ended.asked) == ((), ())


@pytest.mark.parametrize("soft", [False, True])
def test_models_learn_what_was_decided(service: Service, soft: bool) -> None:
    item, other = items(service)[:2]
    disagree(service, item)
    say(service, other, "anna@example.org", "age")
    decide(service, item)
    annotations, scheme = service.ledger.annotations(), service.campaign.scheme
    data = training_data(service.pool, annotations, scheme, constructed_weight=0, soft=soft)
    rows = data[data["item_id"].isin([item.id, other.id])].set_index("item_id")
    assert dict(rows["source"]) == {item.id: "adjudicated", other.id: "human"}
    assert (rows["weight"] == 1).all()
    assert list(rows.loc[[item.id, other.id], "label_gender"]) == [1, 0]
    assert list(rows.loc[[item.id, other.id], "label_age"]) == [0, 1]
    known, labels = labelled_rows(
        service.pool, annotations, scheme, len(service.pool), ConsensusMethod.MAJORITY
    )
    (row,) = service.pool.rows_of([item.id])
    assert scheme.decode(labels[list(known).index(row)]) == ["gender"]


def test_models_are_measured_on_what_was_decided(service: Service) -> None:
    first, second, third = items(service, Split.AUDIT)[:3]
    for item in (first, second):
        disagree(service, item)
    decide(service, first)
    audit = audit_set(
        service.pool,
        service.ledger.annotations(),
        service.campaign.scheme,
        [first.id, second.id, third.id],
    )
    found = {i.id: v.labels for i, v in zip(audit.items, audit.item_labels, strict=True)}
    assert found == {first.id: ("gender",), second.id: ("age",)}
    assert audit.pending == 1


def test_agreement_knows_votes_only(service: Service) -> None:
    for item in items(service)[: MIN_POSITIVES + 5]:
        disagree(service, item)
    before = annotators.report(service)
    for item in items(service)[:10]:
        decide(service, item, by="anna@example.org")
    after = annotators.report(service)
    assert before.agreement.sets is not None
    assert (after.agreement, after.pairs) == (before.agreement, before.pairs)
    assert after.people == before.people


def test_an_export_says_whose_labels_they_are_and_names_nobody(service: Service) -> None:
    item = items(service)[0]
    disagree(service, item)
    decide(service, item, by="Rita Rossi")
    (row,) = (r for r in exported(service, "items") if r["item_id"] == item.id)
    assert (row["labels"], row["label_source"]) == (["gender"], "adjudicated")
    votes = [r for r in exported(service, "votes") if r["item_id"] == item.id]
    assert [(r["annotator"], r["labels"]) for r in votes] == [
        ("A1", ["age"]),
        ("A2", ["inclusive"]),
        (ADJUDICATOR, ["gender"]),
    ]
    assert [r["reason"] for r in votes] == [None, None, WHY]
    assert "Rossi" not in str([row, votes])


def test_an_export_comes_back_as_adjudicated(
    service: Service, tmp_path: Path, copy_bare: CopyBare
) -> None:
    item = items(service)[0]
    disagree(service, item)
    decide(service, item)
    rows = [r for r in exported(service, "items") if r["item_id"] == item.id]
    table = write_jsonl(tmp_path / "items.jsonl", *rows)
    before = service.ledger.sequence()
    assert not import_file(service, table).rejects
    assert service.ledger.sequence() == before  # here it is known
    other = Service(copy_bare(tmp_path / "other", "job_ads_en", 0))
    try:
        import_file(
            other, write_jsonl(tmp_path / "ads.jsonl", {"id": item.ad_id, "text": item.text})
        )
        import_id = import_file(other, table).import_id
        assert resolved(other)[item.id] == (LabelSource.ADJUDICATED, ("gender",))
        decide(other, item, "age")
        undo(other, import_id)
        assert resolved(other)[item.id] == (LabelSource.ADJUDICATED, ("age",))
    finally:
        other.close()


def test_a_later_decision_replaces_an_earlier_one_and_both_are_kept(service: Service) -> None:
    item = items(service)[0]
    disagree(service, item)
    decide(service, item)
    between = service.ledger.sequence()
    decide(service, item)  # the same form, sent twice
    assert service.ledger.sequence() == between
    decide(service, item, why="Looked again.")
    decide(service, item, "inclusive", by="Ugo")
    assert resolved(service)[item.id] == (LabelSource.ADJUDICATED, ("inclusive",))
    facts = [fact["detail"] for fact in service.ledger.trip(item.id)]
    assert sum("adjudicated by Rita" in fact for fact in facts) == 2
    assert sum("adjudicated by Ugo" in fact for fact in facts) == 1


def test_a_decision_follows_the_names_of_labels(service: Service) -> None:
    item = items(service)[0]
    disagree(service, item)
    decide(service, item)
    rename(service, "gender", "sex")
    service.close()
    renamed = Service(service.layout.folder)
    try:
        assert resolved(renamed)[item.id] == (LabelSource.ADJUDICATED, ("sex",))
        uses = {use.label: use for use in label_uses(renamed)}
        assert (uses["sex"].adjudicated, uses["sex"].votes) == (1, 0)
    finally:
        renamed.close()


def test_a_decision_about_older_votes_holds_for_decisions_too(service: Service) -> None:
    first, second = items(service)[:2]
    for item in (first, second):
        disagree(service, item)
        decide(service, item)
    older, new = {service.current_policy.id}, Policy("Another guideline")
    service.ledger.policies.add(new, AT)
    asked_again = apply_decision(service.ledger.annotations(), older, VoteAction.RE_ASK, {first.id})
    service.ledger.record(asked_again)
    say(service, first, "anna@example.org", "age", policy_id=new.id)
    assert resolved(service)[first.id] == (LabelSource.HUMAN, ("age",))
    assert resolved(service)[second.id] == (LabelSource.ADJUDICATED, ("gender",))


def test_a_taken_down_item_keeps_the_fact_and_no_export_repeats_its_words(
    service: Service,
) -> None:
    item = items(service)[0]
    disagree(service, item)
    decide(service, item)
    take_down(service, item.ad_id)
    votes = [r for r in exported(service, "votes") if r["item_id"] == item.id]
    assert [r["label_source"] for r in votes] == ["human", "human", "adjudicated"]
    assert WHY not in str(votes)
    with pytest.raises(PoolError, match="taken down"):
        decide(service, item)


def test_what_cannot_be_decided(service: Service) -> None:
    item, quiet = items(service)[:2]
    disagree(service, item)
    for about, labels, by, why, message in (
        (item, (), "Rita", WHY, "nothing chosen"),
        (item, ("gender", "inclusive"), "Rita", WHY, "the negative label together with another"),
        (item, ("genre",), "Rita", WHY, "the labels are .*gender"),
        (item, ("gender",), " ", WHY, "a name must have 1 to 254 characters"),
        (item, ("gender",), "Rita", "", "a reason must have 1 to 4000 characters"),
        (quiet, ("gender",), "Rita", WHY, "nobody has answered"),
    ):
        with pytest.raises(DataError, match=message):
            adjudicate(service, about.id, labels, by, why)
    gold = [{"id": "g", "text": "Waitress wanted.", "labels": ["gender"]}]
    path = write_jsonl(service.layout.folder / "gold.jsonl", *gold)
    import_file(service, path, label_source=LabelSource.GOLD)
    (known,) = (a for a in service.ledger.annotations() if a.source is LabelSource.GOLD)
    with pytest.raises(DataError, match="its answer is known"):
        adjudicate(service, known.item_id, ["age"], "Rita", WHY)
    with pytest.raises(PoolError, match="no item"):
        adjudicate(service, "nowhere", ["age"], "Rita", WHY)
    assert all(a.source is not LabelSource.ADJUDICATED for a in service.ledger.annotations())
