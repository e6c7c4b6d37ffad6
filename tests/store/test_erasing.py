"""Refused texts in the ledger, and what a takedown erases there."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from biasloop.domain.annotation import RANDOM_SAMPLE, WHY
from biasloop.domain.model import ModelVersion
from biasloop.domain.writing.synthesis import RefusalReason, Rejection
from biasloop.errors import LedgerError
from biasloop.store.ledger import Ledger
from support.annotations import vote

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rejection(text: str, *roots: str) -> Rejection:
    return Rejection(
        text, RefusalReason.LABEL, f"judged: {text}", "llm:write:age@1", ("age",), (), roots
    )


def test_they_are_kept_and_counted_newest_first(ledger: Ledger) -> None:
    assert ledger.count_rejections() == 0
    ledger.add([rejection("uno", "a"), rejection("due è", "a", "b")], NOW)
    ledger.add([rejection("tre", "c")], NOW)
    assert ledger.count_rejections() == 3
    assert [row["text"] for row in ledger.rejections()] == ["tre", "due è", "uno"]
    newest, second = ledger.rejections(2)
    assert newest["at"] == NOW
    assert (second["reason"], second["labels"], second["roots"]) == (
        "label_not_confirmed",
        ["age"],
        ["a", "b"],
    )


def test_a_takedown_blanks_what_descends_from_the_ad(ledger: Ledger) -> None:
    ledger.add([rejection("uno", "a"), rejection("due", "a", "b"), rejection("tre", "bb")], NOW)
    for _ in range(2):
        ledger.record_takedown("b", ["item"], NOW)
        assert [row["text"] for row in ledger.rejections()] == ["tre", "", "uno"]
        assert [row["detail"] for row in ledger.rejections()] == ["judged: tre", "", "judged: uno"]
    assert ledger.count_rejections() == 3


def test_what_people_wrote_about_the_ad_goes_with_it_and_never_comes_back(ledger: Ledger) -> None:
    """A task may still be answered until it is withdrawn."""
    marked = {"result": [{"value": {"text": ["parole"]}}], RANDOM_SAMPLE: True, WHY: "parole"}
    answers = [vote(item, "age", key=f"ls:{item}", extra=marked) for item in ("gone", "stays")]
    ledger.record(answers)
    ledger.record_takedown("ad", ["gone"], NOW)
    late = replace(answers[0], labels=("gender",))
    assert ledger.record([late, answers[1]]) == 1
    assert ledger.record([late, answers[1]]) == 0
    gone, stays = sorted(ledger.annotations(), key=lambda a: a.item_id)
    assert (gone.labels, gone.extra) == (("gender",), {RANDOM_SAMPLE: True})
    assert stays.extra == marked


def test_no_model_is_recorded_that_learned_from_what_was_taken_down_meanwhile(
    ledger: Ledger,
) -> None:
    ledger.record_takedown("ad", ["gone"], NOW)
    model = ModelVersion("m1", "tfidf", 1, "models/m1", {}, ("stays", "gone"))
    with pytest.raises(LedgerError, match="was taken down meanwhile; train again"):
        ledger.add([model], NOW)
    assert ledger.models.all() == []
    ledger.add([replace(model, trained_on=("stays",))], NOW)
    assert len(ledger.models.all()) == 1
