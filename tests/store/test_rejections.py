"""Refused texts in the ledger, until an ad that they descend from is taken down."""

from datetime import UTC, datetime

from biasloop.domain.writing.synthesis import RefusalReason, Rejection
from biasloop.store.ledger import Ledger

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
