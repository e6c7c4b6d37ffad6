"""Contract of the facts in the ledger, on SQLite and PostgreSQL."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.model import Evaluation, ModelVersion, Promotion
from biasloop.domain.policy import Policy, PolicyDecision, VoteAction
from biasloop.domain.round import Done
from biasloop.domain.task import PushedTask
from biasloop.domain.votes.consensus import Consensus
from biasloop.errors import LedgerError
from biasloop.store.ledger import Ledger
from support.annotations import AT, vote

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
on_the_ledger = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def annotation(key: str = "ls:1", item: str = "a" * 20, **changes: object) -> Annotation:
    default = vote(item, "age", key=key, policy_id="p" * 12, at=NOW, seconds=3.5, task_id=7)
    return replace(default, **changes)  # type: ignore[arg-type]


def numbered(news: list[Annotation]) -> list[Annotation]:
    """The annotations as the ledger returns them: with sequence numbers from 1."""
    return [replace(new, seq=number) for number, new in enumerate(news, 1)]


def commit_next_step(ledger: Ledger, *records: object, now: datetime = NOW) -> None:
    """Commits records with the next step of the newest round."""
    ledger.rounds.open({}, now)
    held = ledger.rounds.claim(now, "me", now + MINUTE)
    assert held is not None
    ledger.rounds.commit(held, Done(records=records), now)


# --- annotations ----------------------------------------------------------------------------------


def test_current_annotations_are_counted_by_source_and_standing(ledger: Ledger) -> None:
    assert ledger.annotation_counts() == []
    first, later = vote("i1", "age"), vote("i2", at=AT + timedelta(days=1))
    skip = vote("i3", standing=Standing.SKIP)
    seed = vote("i4", source=LabelSource.SEED)
    ledger.record([first, later, skip, seed])
    ledger.record([replace(first, labels=("gender",), at=AT + timedelta(hours=1))])
    assert sorted(ledger.annotation_counts()) == [
        (LabelSource.HUMAN, Standing.SKIP, 1, AT),
        (LabelSource.HUMAN, Standing.VOTE, 2, AT + timedelta(days=1)),
        (LabelSource.SEED, Standing.VOTE, 1, AT),
    ]


def test_an_annotation_comes_back_as_it_went_in(ledger: Ledger) -> None:
    extra = {"result": [{"value": {"text": ["perché no?", "\0 😀"]}, "score": 0.1, "none": None}]}
    news = [
        annotation(extra=extra),
        annotation("seed:1", source=LabelSource.SEED, task_id=None, seconds=None, labels=()),
        annotation("ls:2", standing=Standing.ASIDE, labels=("età",), reason="nothing chosen"),
    ]
    assert ledger.record(news) == 3
    assert ledger.annotations() == numbered(news)
    assert ledger.annotations_on([news[0].item_id, "x"]) == [
        a for a in numbered(news) if a.item_id == news[0].item_id
    ]
    assert ledger.annotations_on([]) == ledger.annotations_on(["x"]) == []


def test_times_are_utc_whatever_zone_they_came_in(ledger: Ledger) -> None:
    rome = timezone(timedelta(hours=2))
    ledger.record([annotation(at=NOW.astimezone(rome))])
    stored = ledger.annotations()[0].at
    assert (stored, stored.utcoffset()) == (NOW, timedelta(0))
    with pytest.raises(Exception, match="naive"):
        ledger.record([annotation("ls:2", at=NOW.replace(tzinfo=None))])


versions = st.lists(
    st.lists(
        st.builds(
            annotation,
            key=st.sampled_from(["1", "2", "3"]),
            standing=st.sampled_from(Standing),
            labels=st.lists(st.sampled_from(["age", "gender"]), unique=True).map(tuple),
            annotator=st.sampled_from(["anna@example.org", "bea@example.org"]),
            seconds=st.sampled_from([None, 1.5]),
            extra=st.sampled_from([{}, {"result": [{"value": "è"}]}]),
        ),
        max_size=4,
    ),
    max_size=6,
)
example = count()


@on_the_ledger
@given(history=versions)
def test_a_version_is_appended_only_when_it_differs(
    ledger: Ledger, history: list[list[Annotation]]
) -> None:
    prefix = f"{next(example)}:"
    current: dict[str, Annotation] = {}
    snapshots = {ledger.sequence(): dict(current)}
    for batch in history:
        news = [replace(a, key=prefix + a.key) for a in batch]
        appended = 0
        for new in news:
            if new.key not in current or not new.has_same_content(current[new.key]):
                current[new.key] = new
                appended += 1
        before = ledger.sequence()
        assert ledger.record(news) == appended
        assert (ledger.sequence() > before) == (appended > 0)
        snapshots[ledger.sequence()] = dict(current)
        last = {new.key: new for new in news}
        assert ledger.record(list(last.values())) == 0  # twice adds nothing
    for sequence, expected in snapshots.items():
        stored = {a.key: a for a in ledger.annotations(sequence) if a.key.startswith(prefix)}
        assert {k: replace(a, seq=0) for k, a in stored.items()} == expected
        assert all(a.seq <= sequence for a in stored.values())
    assert ledger.answered_items() == {
        a.item_id
        for a in ledger.annotations()
        if a.standing in (Standing.VOTE, Standing.SKIP) and a.source is not LabelSource.GOLD
    }


def test_many_at_once(ledger: Ledger) -> None:
    news = [annotation(f"ls:{i}", task_id=i) for i in range(1_200)]
    assert ledger.record(news) == 1_200
    assert ledger.record([*news[:-1], replace(news[-1], labels=())]) == 1
    assert [a.seq for a in ledger.annotations()] == [*range(1, 1_200), 1_201]


def test_what_was_read_at_a_sequence_number_stays(
    ledger: Ledger, another: Callable[[], Ledger]
) -> None:
    """Sequence numbers become visible in their order (R4: a model records one)."""
    writers, reader, done = [another() for _ in range(3)], another(), threading.Event()

    def write(writer: int) -> None:
        for i in range(15):
            news = [annotation(f"{writer}:{i}:{j}") for j in range(5)]
            assert writers[writer].record(news) == 5

    def read() -> dict[int, int]:
        seen = {}
        while not done.is_set():
            sequence = reader.sequence()
            seen[sequence] = len(reader.annotations(sequence))
        return seen

    with ThreadPoolExecutor(4) as pool:
        reading = pool.submit(read)
        try:
            list(pool.map(write, range(3)))
        finally:
            done.set()
    assert len(ledger.annotations()) == 3 * 15 * 5
    for sequence, number in reading.result().items():
        assert len(ledger.annotations(sequence)) == number


# --- batches and consensus ------------------------------------------------------------------------


def test_selections_come_in_the_order_of_rounds_and_positions(ledger: Ledger) -> None:
    first = Selection("a" * 20, 5, Arm.AUDIT, 0.25, 1)
    second = Selection("b" * 20, 2, Arm.ACQUISITION, None, 0)
    commit_next_step(ledger, first, second)
    ledger.rounds.cancel(0, "again", NOW)
    commit_next_step(ledger, second)
    assert ledger.selections() == [(0, second), (0, first), (1, second)]
    assert ledger.selections(1) == [(1, second)]
    assert ledger.selections(2) == []
    assert ledger.live_selections() == [(1, second)]  # round 0 was cancelled


def test_the_newest_consensus_on_an_item_holds(ledger: Ledger) -> None:
    old = Consensus("a" * 20, ("age",), ("age", "gender"), 1, {"age": 1.0, "gender": 0.0})
    other = replace(old, item_id="b" * 20)
    new = replace(old, labels=("inclusive",), votes=3, support={"age": 1 / 3, "gender": 0.0})
    commit_next_step(ledger, old, other)
    ledger.rounds.cancel(0, "again", NOW)
    commit_next_step(ledger, new)
    assert ledger.consensus() == [new, other]
    assert ledger.consensus(up_to_round=0) == [old, other]


# --- models ---------------------------------------------------------------------------------------


def model(name: str, *items: str) -> ModelVersion:
    return ModelVersion(name, "tfidf", 3, f"models/{name}", {"rows": {"human": 2}}, items)


def test_models_and_what_they_were_trained_on(ledger: Ledger) -> None:
    ledger.add([model("m1", "a" * 20, "b" * 20)], NOW)
    commit_next_step(ledger, model("m2", "b" * 20), now=NOW + MINUTE)
    assert ledger.models.all() == [(NOW, None, model("m1")), (NOW + MINUTE, 0, model("m2"))]
    assert ledger.models.get("m2") == model("m2")
    assert ledger.models.trained_on("m1") == ["a" * 20, "b" * 20]
    assert ledger.models.trained_on_any(["b" * 20]) == ["m1", "m2"]
    assert ledger.models.trained_on_any(["a" * 20, "c" * 20]) == ["m1"]
    assert ledger.models.trained_on_any([]) == []
    with pytest.raises(LedgerError, match=r"no model 'm3'; known: m1, m2"):
        ledger.models.get("m3")


def test_the_last_promotion_names_the_model_in_service(ledger: Ledger) -> None:
    assert ledger.models.in_service() is None
    ledger.add([model("m1"), model("m2")], NOW)
    for name in ("m1", "m2", "m1"):
        ledger.add([Promotion(name, f"why {name}")], NOW)
    assert ledger.models.in_service() == model("m1")
    expected = [(NOW, Promotion(name, f"why {name}")) for name in ("m1", "m2", "m1")]
    assert ledger.models.promotions() == expected


def test_an_unknown_model_is_not_promoted(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        ledger.add([model("m1"), Promotion("m2", "a slip")], NOW)
    assert ledger.models.all() == []


def test_evaluations_keep_their_report(ledger: Ledger) -> None:
    ledger.add([model("m1"), model("m2")], NOW)
    first = Evaluation("m1", None, {"audit": {"micro": None}})
    second = Evaluation("m2", "m1", {"audit": {"micro": [0.5, 0.4, 0.6]}})
    ledger.add([first], NOW)
    commit_next_step(ledger, second)
    assert ledger.models.evaluations() == [(None, first), (0, second)]


# --- policies, trip, tombstones -------------------------------------------------------------------


def test_a_trip_lists_everything_in_order(ledger: Ledger) -> None:
    item = "a" * 20
    expected: list[tuple[str, int | None, str]] = []
    ledger.record([annotation(item="b" * 20)])  # another item's trip
    records: list[tuple[object, str, str]] = [
        (Selection(item, 5, Arm.AUDIT, 0.25, 1), "selected", "audit"),
        (PushedTask(item, 7), "pushed", "task 7"),
        (Consensus(item, ("age",), ("age",), 2, {}), "consensus", '["age"] from 2 votes'),
        (model("m1", item), "trained on", "m1"),
    ]
    for minute, (record, fact, detail) in enumerate(records):
        commit_next_step(ledger, record, now=NOW + minute * MINUTE)
        expected.append((fact, 0, detail))
    ledger.record([annotation("ls:2", at=NOW + 4 * MINUTE)])
    ledger.record([annotation("ls:2", at=NOW + 5 * MINUTE, standing=Standing.ASIDE, reason="late")])
    ledger.record_takedown("ad-1", [item], NOW + 6 * MINUTE)
    expected += [
        ("vote", None, 'human by anna@example.org: ["age"] '),
        ("aside", None, 'human by anna@example.org: ["age"] late'),
        ("taken down", None, "ad-1"),
    ]
    trip = ledger.trip(item)
    assert [(row["fact"], row["round_id"], row["detail"]) for row in trip] == expected
    assert [row["at"] for row in trip] == [NOW + n * MINUTE for n in range(len(expected))]


def test_a_takedown_recorded_twice_counts_once(ledger: Ledger) -> None:
    ledger.record_takedown("ad-1", ["a" * 20], NOW)
    ledger.record_takedown("ad-1", ["a" * 20, "b" * 20], NOW + MINUTE)
    assert [row["at"] for row in ledger.trip("a" * 20)] == [NOW]
    assert [row["at"] for row in ledger.trip("b" * 20)] == [NOW + MINUTE]


def test_the_same_guideline_is_one_policy(ledger: Ledger) -> None:
    for text in ("Linee guida", "Linee guida", "Linee guida, seconda versione"):
        ledger.policies.add(Policy(text), NOW)  # the same id twice would be refused
    later = Policy("Linee guida, terza versione")
    ledger.policies.add(later, NOW + MINUTE)
    assert len(ledger.policies.all()) == 3
    assert ledger.policies.all()[-1] == (NOW + MINUTE, later)


def test_a_guideline_that_comes_back_is_in_force_again(ledger: Ledger) -> None:
    first, second = Policy("Prima", {"age": "Età"}), Policy("Prima", {"age": "Età, anche minima"})
    for minutes, policy in enumerate((first, first, second, second, first)):
        ledger.policies.add(policy, NOW + minutes * MINUTE)
    assert [policy for _, policy in ledger.policies.all()] == [first, second]
    assert ledger.policies.history() == [
        (NOW, first.id),
        (NOW + 2 * MINUTE, second.id),
        (NOW + 4 * MINUTE, first.id),
    ]


def test_a_decision_and_what_it_changes_are_one(ledger: Ledger) -> None:
    ledger.record([annotation("ls:1"), annotation("ls:2")])
    decision = PolicyDecision("new", ("p" * 12,), VoteAction.SET_ASIDE, ("age",), "rita", NOW)

    def fails(_: list[Annotation]) -> list[Annotation]:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        ledger.policies.decide(decision, fails)
    assert ledger.policies.decisions() == []

    def aside(current: list[Annotation]) -> list[Annotation]:
        return [replace(current[0], standing=Standing.ASIDE, reason="old")]

    assert ledger.policies.decide(decision, aside) == 1
    assert ledger.policies.decisions() == [decision]
    standing = {a.key: a.standing for a in ledger.annotations()}
    assert standing == {"ls:1": Standing.ASIDE, "ls:2": Standing.VOTE}


def test_a_task_id_may_come_again_and_an_item_may_get_another_task(ledger: Ledger) -> None:
    ledger.add([PushedTask("a", 7), PushedTask("b", 8)], NOW)
    ledger.add([PushedTask("c", 8), PushedTask("a", 5)], NOW)
    assert ledger.task_ids() == {"a": 5, "b": 8, "c": 8}


def test_the_newest_task_before_a_moment(ledger: Ledger) -> None:
    assert ledger.newest_task(NOW + timedelta(days=1)) is None
    ledger.add([PushedTask("a", 7), PushedTask("b", 8)], NOW)
    ledger.add([PushedTask("c", 9)], NOW + timedelta(hours=1))
    assert ledger.newest_task(NOW + timedelta(minutes=1)) == PushedTask("b", 8)
    assert ledger.newest_task(NOW + timedelta(hours=2)) == PushedTask("c", 9)
    assert ledger.newest_task(NOW) is None


@pytest.mark.parametrize("url", ["me:geheim-1@127.0.0.1:9/x", "127.0.0.1:9/x?password=geheim-1"])
def test_no_message_shows_the_password_of_the_database(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger(f"postgresql+psycopg://{url}").migrate()
    assert "127.0.0.1:9" in str(caught.value)
    assert "geheim" not in str(caught.value)
