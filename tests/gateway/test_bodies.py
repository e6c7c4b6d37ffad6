"""What is passed on of the bodies of requests, and of the answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.gateway.bodies import KEYS, MAX_SECONDS, RefusedBody, read_body
from biasloop.gateway.rules import Body
from biasloop.gateway.stripping import TASK_KEYS, strip_task

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
ME, OTHER = 7, 8
LABELS = {"label": {"age", "gender"}}


@pytest.mark.parametrize(
    "values",
    [
        {"result": [], "completed_by": 1},
        {"result": [], "ground_truth": True},
        {"result": [], "task": 5},
        {"result": [], "updated_by": 1},
        {"result": {}},
        {"result": [], "draft_id": "1"},
        {"result": [], "draft_id": True},
        {"result": [{"from_name": "label", "value": {"choices": ["nope"]}}]},
        {"result": [{"from_name": "label", "value": {"choices": "age"}}]},
        {"result": [{"from_name": "label", "value": {"choices": [1]}}]},
        {"result": ["age"]},
        {"result": [], "lead_time": "long"},
        [],
        "text",
    ],
)
def test_what_nobody_may_set_is_refused(values: Any) -> None:
    with pytest.raises(RefusedBody):
        read_body(Body.ANNOTATION, json.dumps(values).encode(), LABELS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"result": [1e999]}',
        b'{"result": [NaN]}',
        rb'{"result": ["\ud800"]}',
        rb'{"result": [{"value": "\u0000"}]}',
    ],
)
def test_what_cannot_be_stored_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedBody):
        read_body(Body.ANNOTATION, body, LABELS)


@given(st.sampled_from([Body.ANNOTATION, Body.DRAFT]), JSON | st.dictionaries(st.text(), JSON))
def test_only_what_the_table_names_is_passed_on(kind: Body, values: Any) -> None:
    try:
        kept = read_body(kind, json.dumps(values).encode(), LABELS)
    except RefusedBody:
        return
    assert kept.keys() <= KEYS[kind]
    assert all(kept[name] == values[name] for name in kept if name != "lead_time")
    assert 0 <= kept.get("lead_time", 0) <= MAX_SECONDS


@pytest.mark.parametrize("text", ["C:\\\\u0000", "una frase"])
def test_what_annotators_may_write_passes(text: str) -> None:
    region = {"from_name": "span", "value": {"labels": ["of our own"], "text": text}}
    body = json.dumps({"result": [region]}).encode()
    assert read_body(Body.ANNOTATION, body, LABELS) == {"result": [region]}


def test_the_project_and_parents_are_left_out() -> None:
    sent = {"result": [], "project": "9", "parent_annotation": 3, "parent_prediction": None}
    assert read_body(Body.ANNOTATION, json.dumps(sent).encode(), LABELS) == {"result": []}


@given(st.lists(st.tuples(st.sampled_from([ME, OTHER, None]), st.booleans()), max_size=6), JSON)
def test_a_task_shows_one_s_own_annotations_and_nothing_else(
    authors: list[tuple[int | None, bool]], noise: Any
) -> None:
    annotations = [
        {
            "id": i,
            "completed_by": {"id": author, "email": "x@y.z"} if nested and author else author,
            "result": [],
            "created_username": "x@y.z",
        }
        for i, (author, nested) in enumerate(authors)
    ]
    drafts = [{"id": 1, "user": "me@b.c"}, {"id": 2, "user": "x@y.z"}]
    task = {"id": 1, "annotations": annotations, "annotators": [OTHER], "noise": noise}
    stripped = strip_task(task | {"drafts": drafts}, ME, "me@b.c")
    own = [i for i, (author, _) in enumerate(authors) if author == ME]
    assert [a["id"] for a in stripped["annotations"]] == own
    assert stripped["total_annotations"] == len(own)
    assert [draft["id"] for draft in stripped["drafts"]] == [1]
    assert "x@y.z" not in json.dumps(stripped["annotations"])
    assert stripped.keys() <= {*TASK_KEYS, "annotations", "drafts"} | {
        "total_annotations", "cancelled_annotations", "total_predictions"
    }  # fmt: skip
