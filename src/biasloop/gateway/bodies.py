"""What is passed on of the bodies that the labelling page sends. Pure."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from biasloop.gateway.rules import Body

MAX_BODY_BYTES = 1_000_000
MAX_SECONDS = 86_400
ANNOTATION_KEYS = frozenset(
    {"lead_time", "result", "draft_id", "started_at", "unique_id", "was_cancelled"}
)
"""What may stand in an annotation and reach Label Studio."""
DROPPED_KEYS = frozenset(
    {"project", "parent_prediction", "parent_annotation", "last_action", "annotation"}
)
"""What the page also sends; it is dropped."""
KEYS: Mapping[Body, frozenset[str]] = {
    Body.ANNOTATION: ANNOTATION_KEYS,
    Body.DRAFT: ANNOTATION_KEYS | {"was_postponed"},
}


class RefusedBody(ValueError):
    """A body that no labelling page sends. The message says why."""


def read_body(kind: Body, body: bytes, labels: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """What is passed on of a body. `labels` are those that may be given with a control, for the
    controls of which they are known.

    Raises RefusedBody for a body that no labelling page sends, such as an annotation in the name of
    somebody else.
    """
    try:
        values = json.loads(body)
        # Python reads more than JSON has: numbers without end, halves of characters.
        text = json.dumps(values, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise RefusedBody("it is not JSON") from None
    if rb"\u0000" in text.replace(rb"\\", b""):  # an escaped backslash begins no escape
        raise RefusedBody("it holds a zero byte, which no database can store")
    if not isinstance(values, dict):
        raise RefusedBody("it is not an object")
    if unknown := values.keys() - KEYS[kind] - DROPPED_KEYS:
        raise RefusedBody(f"it has {sorted(unknown)[0][:40]!r}, which nobody may set")
    _check_result(values.get("result", []), labels)
    _check_seconds(values)
    draft = values.get("draft_id")
    if draft is not None and (not isinstance(draft, int) or isinstance(draft, bool)):
        raise RefusedBody("its draft is not a number")
    passed = {name: value for name, value in values.items() if name in KEYS[kind]}
    if not draft:  # the page sends 0 where there is none
        passed.pop("draft_id", None)
    return passed


def _check_result(result: Any, labels: Mapping[str, Collection[str]]) -> None:
    if not isinstance(result, list) or not all(isinstance(part, dict) for part in result):
        raise RefusedBody("its result is not a list of objects")
    for part in result:
        value = part.get("value", {})
        if not isinstance(value, dict):
            raise RefusedBody("a value in its result is not an object")
        for kind in ("choices", "labels"):
            chosen = value.get(kind, [])
            if not isinstance(chosen, list) or not all(isinstance(one, str) for one in chosen):
                raise RefusedBody("its labels are not a list of words")
            allowed = labels.get(str(part.get("from_name")), chosen)
            if not set(chosen) <= set(allowed):
                raise RefusedBody("it has a label that the campaign does not have")


def _check_seconds(values: dict[str, Any]) -> None:
    """Limits the time that somebody took; a page may have been open for days."""
    seconds = values.get("lead_time")
    if seconds is None:
        return
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise RefusedBody("its time is not a number")
    values["lead_time"] = min(max(seconds, 0), MAX_SECONDS)
