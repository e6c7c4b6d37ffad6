"""Trials and comments in the ledger, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from biasloop.domain.policy import Policy
from biasloop.domain.trial import Case, Comment, Scenario, ScenarioReason, Trial
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Problem, Spending
from biasloop.errors import LedgerError
from biasloop.store.ledger import Ledger

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CASES = (
    Case(
        Scenario("Cercasi è", ScenarioReason.DIFFER, ("age",), "item-1", ("ad-1", "ad-2")),
        Judgement(("age",), 0.5, "says: Cercasi è"),
        Judgement(("gender", "age"), 1.0, "quotes: Cercasi è"),
    ),
    Case(Scenario("<b>", known=()), Problem.NOT_ASKED, Problem.SCHEMA),
    Case(Scenario("plain"), Judgement((), 1.0, "r"), Problem.NO_ANSWER),
)
TRIAL = Trial(
    id="0a0a0a0a",
    at=NOW,
    by="rita",
    draft=Policy("# Draft\n", {"age": "years"}),
    against="123456789abc",
    model="m",
    cases=CASES,
    stopped="the budget is spent",
    spending=Spending(3, 10, 20, 0.5),
)


def test_a_trial_comes_back_as_it_was(ledger: Ledger) -> None:
    ledger.trials.add(TRIAL)
    assert ledger.trials.find("0a0a") == ledger.trials.newest() == TRIAL


def test_the_newest_run_of_a_trial_counts(ledger: Ledger) -> None:
    other = replace(TRIAL, id="0b0b0b0b", at=NOW + timedelta(hours=1))
    again = replace(TRIAL, at=NOW + timedelta(hours=2), stopped=None)
    for trial in (TRIAL, other, again):
        ledger.trials.add(trial)
    assert [(row["id"], row["at"]) for row in ledger.trials.all()] == [
        (again.id, again.at),
        (other.id, other.at),
    ]
    assert ledger.trials.newest() == again


def test_a_prefix_must_match_one_trial(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no trial yet"):
        ledger.trials.newest()
    ledger.trials.add(TRIAL)
    ledger.trials.add(replace(TRIAL, id="0b0b0b0b"))
    with pytest.raises(LedgerError, match="several trials begin with '0'; known: 0b0b0b0b, 0a0a"):
        ledger.trials.find("0")
    with pytest.raises(LedgerError, match="no trial begins with 'f'"):
        ledger.trials.find("f")
    with pytest.raises(LedgerError, match="no trial begins with ''"):
        ledger.trials.find("")


def test_comments_stay_with_their_trial(ledger: Ledger) -> None:
    first, second = Comment(1, "rita", "why?", NOW), Comment(2, "ugo", "<i>", NOW)
    ledger.trials.comment("0a0a0a0a", first)
    ledger.trials.comment("0b0b0b0b", second)
    ledger.trials.comment("0a0a0a0a", second)
    assert ledger.trials.comments("0a0a0a0a") == [first, second]


def test_a_takedown_takes_the_text_out_of_every_run(ledger: Ledger) -> None:
    ledger.trials.add(TRIAL)
    ledger.trials.add(TRIAL)
    for _ in range(2):
        ledger.record_takedown("ad-2", ["item-1"], NOW)
    gone, *others = ledger.trials.newest().cases
    assert gone.scenario == replace(CASES[0].scenario, text="")
    assert gone.after == Judgement(("gender", "age"), 1.0, "")
    assert tuple(others) == CASES[1:]
    with ledger._db.read() as connection:  # nor in the run before
        assert "Cercasi" not in str(connection.exec_driver_sql("SELECT cases FROM trials").all())


def test_versions_are_found_by_a_prefix_of_their_id(ledger: Ledger) -> None:
    assert ledger.policies.current() is None
    old, new = Policy("old"), Policy("new", {"age": "years"})
    ledger.policies.add(old, NOW)
    ledger.policies.add(new, NOW + timedelta(days=1))
    assert ledger.policies.find(old.id[:5]) == old
    assert ledger.policies.current() == new
    ledger.policies.add(old, NOW + timedelta(days=2))
    assert ledger.policies.current() == old
    with pytest.raises(LedgerError, match="no version of the guideline begins with 'xyz'"):
        ledger.policies.find("xyz")
