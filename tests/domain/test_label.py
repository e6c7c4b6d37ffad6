"""Label schemes: valid and invalid choices, and label matrices."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import MISSING, AsideReason, LabelSource, Scheme

NAMES = ("age", "gender", "origin", "salary")
MULTI = Scheme(NAMES, multi=True, none_label="inclusive")
SINGLE = Scheme(NAMES, multi=False)
schemes = st.sampled_from([MULTI, SINGLE, Scheme(NAMES, multi=True)])
names = st.lists(st.sampled_from(NAMES), unique=True)


@pytest.mark.parametrize(
    ("scheme", "chosen", "reason"),
    [
        (MULTI, ["age"], None),
        (MULTI, ["age", "gender"], None),
        (MULTI, ["inclusive"], None),
        (MULTI, [], AsideReason.EMPTY),
        (MULTI, ["inclusive", "age"], AsideReason.CONTRADICTORY),
        (MULTI, ["age", "height"], AsideReason.UNKNOWN_LABEL),
        (SINGLE, ["age"], None),
        (SINGLE, ["age", "gender"], AsideReason.SEVERAL),
        (SINGLE, ["inclusive"], AsideReason.UNKNOWN_LABEL),
        (SINGLE, [], AsideReason.EMPTY),
    ],
)
def test_reasons_to_set_aside(
    scheme: Scheme, chosen: list[str], reason: AsideReason | None
) -> None:
    assert scheme.reason_to_set_aside(chosen) is reason


@given(schemes, st.lists(st.sampled_from([*NAMES, "inclusive", "height"]), max_size=6))
def test_encoding_is_reversible(scheme: Scheme, chosen: list[str]) -> None:
    """A valid choice neither loses nor gains a label on its way through the matrix."""
    if scheme.reason_to_set_aside(chosen) is None:
        (row,) = scheme.encode([chosen])
        assert set(scheme.decode(row)) == set(chosen)


@given(schemes, st.lists(st.tuples(names, names), max_size=5))
def test_labels_not_asked_about_are_missing(
    scheme: Scheme, rows: list[tuple[list[str], list[str]]]
) -> None:
    chosen = [[name for name in labels if name in asked] for labels, asked in rows]
    asked = [[*asked, "a label of an older scheme"] for _, asked in rows]
    matrix = scheme.encode(chosen, asked)
    assert (matrix.dtype, matrix.shape) == (np.int8, (len(rows), len(NAMES)))
    for i, j in np.ndindex(matrix.shape):
        expected = 1 if NAMES[j] in chosen[i] else 0 if NAMES[j] in asked[i] else MISSING
        assert matrix[i, j] == expected


def test_by_default_all_labels_are_asked_about() -> None:
    assert MULTI.encode([["gender", "height"], ["inclusive"]]).tolist() == [
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    assert MULTI.encode([]).shape == (0, 4)


def test_a_row_of_zeros_is_the_negative() -> None:
    assert MULTI.decode([0, 0, MISSING, 0]) == ["inclusive"]
    assert Scheme(NAMES, multi=True).decode([0, 0, 0, 0]) == []
    with pytest.raises(ValueError, match="zip"):
        MULTI.decode([1])


def test_the_id_is_a_hash_of_the_content() -> None:
    same = Scheme(NAMES, multi=True, none_label="inclusive")
    others = [SINGLE, Scheme(NAMES, True), Scheme(NAMES[::-1], True, "inclusive")]
    assert MULTI.id == same.id
    assert len({scheme.id for scheme in (MULTI, *others)}) == 4
    assert MULTI.choices == (*NAMES, "inclusive")


# --- annotations ----------------------------------------------------------------------------------

NOW = datetime(2026, 3, 1, tzinfo=UTC)
facts = {
    "standing": st.sampled_from(Standing),
    "labels": names.map(tuple),
    "annotator": st.sampled_from(["anna", "bea"]),
    "extra": st.sampled_from([{}, {"result": []}, {"result": [{"value": 1}]}]),
}
annotations = st.builds(
    Annotation,
    key=st.just("ls:1"),
    item_id=st.just("i"),
    source=st.just(LabelSource.HUMAN),
    asked=st.just(NAMES),
    policy_id=st.sampled_from(["old", "new"]),
    at=st.just(NOW),
    seconds=st.none() | st.floats(0, 9),
    **facts,
)


@given(annotations, annotations)
def test_has_same_content(one: Annotation, two: Annotation) -> None:
    assert one.has_same_content(one)
    assert one.has_same_content(two) == two.has_same_content(one)
    differ = any(
        getattr(one, name) != getattr(two, name) for name in ("standing", "annotator", "extra")
    ) or set(one.labels) != set(two.labels)
    assert one.has_same_content(two) == (not differ)
