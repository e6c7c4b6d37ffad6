"""Between items and task JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.label import AsideReason
from biasloop.domain.span import Span
from biasloop.domain.task import LabelTask
from biasloop.labelstudio import tasks
from biasloop.labelstudio.tasks import (
    annotators,
    chosen,
    is_flagged,
    rewrites,
    spans,
    to_html,
    to_json,
    to_state,
)
from support.labelstudio_server import CONFIG

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "from_name", "value", "choices", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def region(*labels: Any, name: str = "label") -> dict[str, Any]:
    return {"type": "choices", "from_name": name, "value": {"choices": list(labels)}}


@given(st.text(), st.text(), st.text(min_size=1), st.integers(0, 99))
def test_a_task_carries_text_context_id_and_round_and_no_more(
    text: str, context: str, item_id: str, number: int
) -> None:
    data = to_json(LabelTask(item_id, text, context, number), CONFIG)
    assert data == {"data": {"text": text, "context": context, "item_id": item_id, "round": number}}


@given(st.lists(json_values, max_size=4))
def test_any_result_can_be_read(result: list[Any]) -> None:
    assert all(isinstance(name, str) for name in chosen(result, "label"))


@given(st.lists(st.sampled_from(["age", "gender", "inclusive"]), max_size=5))
def test_what_was_chosen_comes_back_once_in_order(labels: list[str]) -> None:
    noise = [region("x", name="other"), {"type": "labels", "value": {"labels": ["age"]}}]
    assert chosen([*noise, region(*labels)], "label") == tuple(dict.fromkeys(labels))
    assert chosen([region(label) for label in labels], "label") == tuple(dict.fromkeys(labels))


def test_values_that_are_not_labels_stay_visible() -> None:
    assert chosen([region("age", 5, ["gender"])], "label") == ("age", "5", "['gender']")
    assert (
        chosen([{"type": "choices", "from_name": "label", "value": {"choices": "age"}}], "label")
        == ()
    )


def test_an_answer_that_is_listed_twice_is_one_answer() -> None:
    moment = "2026-03-01T10:00:00Z"
    answer = {"id": 5, "completed_by": 3, "result": [region("age")], "updated_at": moment}
    task = {"id": 7, "data": {"item_id": "i"}, "updated_at": moment, "overlap": 1}
    state = to_state(task | {"annotations": [answer, answer]}, {}, CONFIG)
    assert [raw.id for raw in state.annotations] == [5]


def test_a_task_with_its_annotations() -> None:
    result = [region("age"), {"type": "labels", "value": {"start": 1.5}, "meta": None}]
    task = {
        "id": 7,
        "data": {"item_id": "i", "text": "t"},
        "updated_at": "2026-01-02T03:04:05.678900Z",
        "overlap": 2,
        "annotations": [
            {
                "id": 1,
                "completed_by": 3,
                "result": result,
                "was_cancelled": False,
                "lead_time": 2.25,
                "updated_at": "2026-01-02T04:04:05.678900+01:00",
            },
            {
                "id": 2,
                "completed_by": 4,
                "result": None,
                "was_cancelled": True,
                "lead_time": None,
                "updated_at": "2026-01-02T03:04:05Z",
            },
            {"id": 3, "completed_by": None, "result": [], "updated_at": "2026-01-02T03:04:05Z"},
        ],
    }
    before = json.dumps(task)
    assert annotators([task]) == {3, 4}
    state = to_state(task, {3: "anna@example.org"}, CONFIG)
    moment = datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)
    assert (state.task_id, state.item_id, state.updated_at) == (7, "i", moment)
    assert (state.text, state.overlap) == ("t", 2)
    first, skip, orphan = state.annotations
    assert (first.annotator, first.seconds, first.updated_at) == ("anna@example.org", 2.25, moment)
    assert first.result == result
    assert json.dumps(task) == before
    assert (skip.skipped, skip.annotator, skip.seconds, tuple(skip.result)) == (
        True,
        "account 4",
        None,
        (),
    )
    assert orphan.annotator == ""


def marked(start: Any, end: Any, name: str = "span", **value: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": ["age", "gender"], **value}
    return {"type": "labels", "from_name": name, "to_name": "text", "value": value}


@pytest.mark.parametrize(
    "value",
    [
        marked(2, 9),
        marked(2, 9, text="30 anni"),
        marked(2, 9, text="30\\nanni"),
        marked(3, 10, text="30 anni"),  # as a browser counts after an emoji
    ],
)
def test_spans_are_read_exactly_as_marked(value: dict[str, Any]) -> None:
    result = [value, region("age"), marked(0, 4, "firms"), marked(2, 9, labels=["AZIENDA"])]
    assert spans(result, CONFIG, "👩 30 anni") == [Span(2, 9, "age"), Span(2, 9, "gender")]


@pytest.mark.parametrize(
    "value",
    [
        marked(0, 10),
        marked(2, 2),
        marked(-1, 2),
        marked("0", "2"),
        marked(None, None),
        marked(0, 2, text="other words"),
        marked(0, 2, labels=None),
    ],
)
def test_a_span_that_is_not_in_the_text_costs_no_other(value: dict[str, Any]) -> None:
    good = marked(4, 6, labels=["age"])
    assert spans([value, good], CONFIG, "Max 30 an") == [Span(4, 6, "age")]


texts = st.text(
    st.sampled_from("ab \\n\n\r\t\u00a0\u00ad\u200b👩ﬁ.,/")
    | st.characters(exclude_categories=["Cs"]),
    min_size=1,
)


@given(texts, st.data())
def test_what_label_studio_sends_of_any_span_is_found_at_its_place(
    text: str, data: st.DataObject
) -> None:
    """The page counts in UTF-16 and writes a line break as backslash and n, whatever backslashes
    the text has of its own."""
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    in_browser = [len(text[:place].encode("utf-16-le")) // 2 for place in (start, end)]
    words = text[start:end].replace("\n", "\\n")
    region = marked(*in_browser, text=words, labels=["age"])
    assert spans([region], CONFIG, text) == [Span(start, end, "age")]


def test_marked_words_are_whole_and_listed_once() -> None:
    overlapping = [marked(0, 5, labels=["age"]), marked(4, 8, labels=["age"])]
    assert tasks.marked(overlapping, CONFIG, "Max 30 anni") == [
        Span(0, 6, "age"),
        Span(4, 11, "age"),
    ]
    assert tasks.marked([marked(0, 3, labels=["age"])] * 2, CONFIG, "Max") == [Span(0, 3, "age")]
    assert tasks.marked([marked(0, 99)], CONFIG, "Max") == []


def test_a_flag_is_what_is_chosen_in_its_own_control() -> None:
    config = replace(CONFIG, unsure="unsure")
    flag = region("unsure", name="unsure")
    assert is_flagged([region("age"), flag], config)
    assert chosen([region("age"), flag], "label") == ("age",)
    assert not is_flagged([region("unsure"), region(name="unsure")], config)
    assert not is_flagged([flag], CONFIG)


def test_rewrites_are_trimmed_and_comments_are_none() -> None:
    config = replace(CONFIG, rewrite="rewrite")

    def written(name: str, *lines: str) -> dict[str, Any]:
        return {"type": "textarea", "from_name": name, "value": {"text": [*lines]}}

    result = [
        region("age"),
        written("comment", "non sono sicura"),
        written("rewrite", " Una persona. ", " "),
        {"type": "textarea"},
    ]
    assert rewrites(result, config) == ["Una persona."]
    assert rewrites(result, CONFIG) == []


WHEN = {"created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z"}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"lead_time": 2.5}, None),
        ({"draft_created_at": "2026-01-02T03:04:00Z"}, None),
        ({"lead_time": 2.5, "parent_prediction": 7}, None),  # a suggestion somebody looked at
        ({"parent_prediction": 7}, AsideReason.PREDICTION),
        ({"lead_time": None}, AsideReason.NOT_BY_A_PERSON),
        ({"lead_time": 0}, AsideReason.NOT_BY_A_PERSON),
        ({"lead_time": 2.5, "import_id": 3}, AsideReason.NOT_BY_A_PERSON),
        ({"was_cancelled": True}, AsideReason.NOT_BY_A_PERSON),
    ],
)
def test_who_or_what_made_an_annotation(facts: dict[str, Any], reason: AsideReason | None) -> None:
    annotation = {"id": 1, "completed_by": 3, "result": [region("age")], **WHEN, **facts}
    task = {"id": 7, "data": {"item_id": "i"}, "overlap": 1, **WHEN, "annotations": [annotation]}
    [read] = to_state(task, {3: "anna@example.org"}, CONFIG).annotations
    assert read.not_counted is reason


@given(st.text())
def test_html_in_the_guideline_is_shown_not_run(text: str) -> None:
    html = to_html(f"{text}\n\n<script>x</script> [a](javascript:alert(1))")
    assert "<script" not in html
    assert 'href="javascript' not in html
