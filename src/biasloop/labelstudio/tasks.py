"""Converts between our values and Label Studio's JSON. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from biasloop.domain.label import AsideReason
from biasloop.domain.span import Span, align_to_words
from biasloop.domain.task import LabelTask, RawAnnotation, TaskState
from biasloop.domain.text import in_compatibility_form
from biasloop.labelstudio.label_config import LabelConfig

PRELABEL = "prelabel"
"""The model version whose predictions Label Studio shows; the first import sets it for the
project."""

UNREADABLE = "unreadable"
"""The key by which a listed task says that Label Studio cannot list its annotations."""


def to_json(task: LabelTask, config: LabelConfig) -> dict[str, Any]:
    """The task as Label Studio imports it. Nothing in it reveals the arm."""
    data: dict[str, Any] = {config.value: task.text, "item_id": task.item_id, "round": task.round}
    if config.context is not None:
        data[config.context] = task.context
    if task.prelabel is None:
        return {"data": data}
    choice = {
        "type": "choices",
        "from_name": config.choices,
        "to_name": config.text,
        "value": {"choices": list(task.prelabel.labels)},
    }
    prediction = {
        "model_version": PRELABEL,
        "score": task.prelabel.confidence,
        "result": [choice],
    }
    return {"data": data, "predictions": [prediction]}


def to_state(task: Mapping[str, Any], emails: Mapping[int, str], config: LabelConfig) -> TaskState:
    """A listed or exported task with its current annotations.

    `emails` maps account ids to e-mail addresses; a deleted account keeps its id.
    """
    item_id = str(task["data"]["item_id"])
    return TaskState(
        task_id=task["id"],
        item_id=item_id,
        updated_at=moment(task["updated_at"]),
        text=str(task["data"].get(config.value, "")),
        overlap=task["overlap"],
        done=bool(task.get("is_labeled")),
        unreadable=UNREADABLE in task,
        annotations=tuple(
            RawAnnotation(
                id=annotation["id"],
                task_id=task["id"],
                item_id=item_id,
                annotator=_annotator(annotation.get("completed_by"), emails),
                skipped=bool(annotation.get("was_cancelled")),
                result=_regions(annotation.get("result")),
                updated_at=moment(annotation["updated_at"]),
                seconds=_seconds(annotation.get("lead_time")),
                created_at=moment(annotation["created_at"]) if "created_at" in annotation else None,
                not_counted=_reason_not_a_persons(annotation),
            )
            for annotation in _each_once(task.get("annotations") or ())
        ),
    )


def to_state_or_unreadable(
    task: Mapping[str, Any], emails: Mapping[int, str], config: LabelConfig
) -> TaskState:
    """The same, without its annotations and `unreadable` if one of them is not as Label Studio
    makes them: one bad record costs no other."""
    try:
        return to_state(task, emails, config)
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return to_state({**task, "annotations": (), UNREADABLE: True}, emails, config)


def annotators(tasks: Iterable[Mapping[str, Any]]) -> set[int]:
    """The ids of the accounts that annotated these tasks."""
    return {
        annotation["completed_by"]
        for task in tasks
        for annotation in task.get("annotations") or ()
        if isinstance(annotation, Mapping) and isinstance(annotation.get("completed_by"), int)
    }


def chosen(result: Sequence[Mapping[str, Any]], choices_name: str) -> tuple[str, ...]:
    """The labels chosen in the `Choices` of that name, each once, in order.

    Label Studio does not check results: a value that is not a string is converted to one, which no
    scheme contains, so that the annotation is set aside instead of being counted in part.
    """
    labels: list[str] = []
    for region in result:
        match region:
            case {"type": "choices", "from_name": name, "value": {"choices": [*values]}}:
                labels += [str(value) for value in values if name == choices_name]
    return tuple(dict.fromkeys(labels))


def spans(result: Sequence[Mapping[str, Any]], config: LabelConfig, text: str) -> list[Span]:
    """The spans marked in the campaign's own control, whose text is `text`, exactly as marked.

    Spans of labels outside the scheme, and those that are not in the text, are left out.
    """
    marked_spans = []
    for region in result:
        match region:
            case {"type": "labels", "from_name": name, "value": {"labels": [*labels]} as value}:
                found = _position(value, text) if name == config.spans else None
                ours = [label for label in labels if label in config.scheme.choices]
                marked_spans += [Span(*found, label) for label in ours] if found else []
    return marked_spans


def marked(result: Sequence[Mapping[str, Any]], config: LabelConfig, text: str) -> list[Span]:
    """The same spans extended to whole words, each once."""
    aligned = (align_to_words(span, text) for span in spans(result, config, text))
    return list(dict.fromkeys(span for span in aligned if span))


def rewrites(result: Sequence[Mapping[str, Any]], config: LabelConfig) -> list[str]:
    """The texts written into the text area for rewrites, without surrounding white space."""
    written: list[str] = []
    for region in result:
        match region:
            case {"type": "textarea", "from_name": name, "value": {"text": lines}}:
                if name == config.rewrite:
                    written += [lines] if isinstance(lines, str) else map(str, lines or ())
    return [line.strip() for line in written if line.strip()]


def is_flagged(result: Sequence[Mapping[str, Any]], config: LabelConfig) -> bool:
    """Whether its author asks for a second look."""
    return config.unsure is not None and bool(chosen(result, config.unsure))


def _position(value: Mapping[str, Any], text: str) -> tuple[int, int] | None:
    """Start and end of a span in characters; None if there is no such place in the text.

    The offsets decide. The words only tell whether they were counted as browsers do (characters
    beyond U+FFFF as two), and a span of another text from one of this.
    """
    start, end = value.get("start"), value.get("end")
    if not (isinstance(start, int) and isinstance(end, int)):
        return None
    places = []
    for codec, width in (("utf-16-le", 2), ("utf-32-le", 4)):
        units = text.encode(codec, "surrogatepass")
        if 0 <= start < end <= len(units) // width:
            first, last = (len(units[: width * i].decode(codec, "ignore")) for i in (start, end))
            places.append((first, last))
    if "text" not in value:
        return places[-1] if places else None
    words = str(value["text"])
    exact = (at for at in places if text[slice(*at)].replace("\n", "\\n") == words)
    similar = (at for at in places if same_words(text[slice(*at)], words))
    return next(chain(exact, similar), None)


_CHANGES_ON_THE_WAY = re.compile(r"\\n|[\W_]")
"""What is not the same in a span's text as in the task: Label Studio writes a line break as the
characters backslash and n, and browsers change white space."""


def same_words(one: str, other: str) -> bool:
    """Whether two texts are the same, apart from what Label Studio and browsers change."""
    return one == other or _letters(one) == _letters(other)


def _letters(text: str) -> str:
    """Letters and digits of a text, for comparison. Both sides lose the same, also where a text has
    a backslash and an n of its own."""
    return _CHANGES_ON_THE_WAY.sub("", in_compatibility_form(text))


def moment(value: str | datetime) -> datetime:
    """A UTC datetime, with time zone, from Label Studio's ISO 8601 format."""
    parsed = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return parsed.astimezone(UTC)


def timestamp(value: datetime) -> str:
    """The only time format that filters of Label Studio accept."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def task_filter(column: str, operator: str, kind: str, value: Any) -> dict[str, Any]:
    """A filter for a list of tasks."""
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": kind,
        "value": value,
    }


def to_html(markdown: str) -> str:
    """The Markdown as HTML, which Label Studio shows; HTML tags in it become plain text."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown))


def _regions(result: Any) -> Sequence[Mapping[str, Any]]:
    """The result of an annotation; Label Studio says null where nothing was ever submitted."""
    regions = () if result is None else result
    if not isinstance(regions, list | tuple) or not all(isinstance(r, Mapping) for r in regions):
        raise TypeError("a result is not a list of objects")
    return regions


def _each_once(annotations: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """The annotations; one that is listed twice comes once."""
    return {annotation["id"]: annotation for annotation in annotations}.values()


def _seconds(lead_time: Any) -> float | None:
    return None if lead_time is None else float(lead_time)


def _annotator(account_id: int | None, emails: Mapping[int, str]) -> str:
    return "" if account_id is None else emails.get(account_id, f"account {account_id}")


def _reason_not_a_persons(annotation: Mapping[str, Any]) -> AsideReason | None:
    """Why this annotation is no person's answer. The page of Label Studio always sends how long it
    was open, and saves drafts; predictions turned into answers and programs do neither."""
    looked_at = annotation.get("lead_time") or annotation.get("draft_created_at")
    if annotation.get("parent_prediction") is not None and not looked_at:
        return AsideReason.PREDICTION
    if annotation.get("import_id") is not None or not looked_at:
        return AsideReason.NOT_BY_A_PERSON
    return None
