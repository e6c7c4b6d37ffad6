"""Converts between our values and Label Studio's JSON. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from biasloop.domain.span import Span, align_to_words
from biasloop.domain.task import LabelTask, RawAnnotation, TaskState
from biasloop.labelstudio.label_config import LabelConfig

PRELABEL = "prelabel"
"""The model version whose predictions Label Studio shows; the first import sets it for the
project."""


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
        annotations=tuple(
            RawAnnotation(
                id=annotation["id"],
                task_id=task["id"],
                item_id=item_id,
                annotator=_annotator(annotation.get("completed_by"), emails),
                skipped=bool(annotation.get("was_cancelled")),
                result=annotation.get("result") or (),
                updated_at=moment(annotation["updated_at"]),
                seconds=annotation.get("lead_time"),
            )
            for annotation in task.get("annotations") or ()
        ),
    )


def annotators(tasks: Iterable[Mapping[str, Any]]) -> set[int]:
    """The ids of the accounts that annotated these tasks."""
    return {
        annotation["completed_by"]
        for task in tasks
        for annotation in task.get("annotations") or ()
        if annotation.get("completed_by") is not None
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


def spans(result: Sequence[Mapping[str, Any]], text_name: str, text: str) -> list[Span]:
    """The spans marked in the `Text` of that name, whose content is `text`, exactly as marked.

    Raises ValueError for a span that is outside the text or does not match it.
    """
    marked_spans = []
    for region in result:
        match region:
            case {"type": "labels", "to_name": name, "value": value} if name == text_name:
                start, end = _position(value, text)
                marked_spans += [Span(start, end, str(label)) for label in value["labels"]]
    return marked_spans


def marked(result: Sequence[Mapping[str, Any]], text_name: str, text: str) -> list[Span]:
    """The same spans extended to whole words, each once; no spans at all if one is invalid."""
    try:
        exact = spans(result, text_name, text)
    except ValueError:
        return []
    aligned = (align_to_words(span, text) for span in exact)
    return list(dict.fromkeys(span for span in aligned if span))


def rewrites(result: Sequence[Mapping[str, Any]]) -> list[str]:
    """The texts written into text areas, without surrounding white space."""
    return [
        str(line).strip()
        for region in result
        if region.get("type") == "textarea"
        for line in region.get("value", {}).get("text") or ()
        if str(line).strip()
    ]


def _position(value: Mapping[str, Any], text: str) -> tuple[int, int]:
    """Start and end of a span in characters. Browsers count characters beyond U+FFFF as two."""
    start, end, labels = value.get("start"), value.get("end"), value.get("labels")
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(labels, list)):
        raise ValueError("a span has no start, end or labels")
    words = str(value["text"]).replace("\\n", "\n").split() if "text" in value else None
    for codec, width in (("utf-32-le", 4), ("utf-16-le", 2)):
        units = text.encode(codec)
        if 0 <= start < end <= len(units) // width:
            first, last = (len(units[: width * i].decode(codec, "ignore")) for i in (start, end))
            if words is None or text[first:last].split() == words:
                return first, last
    raise ValueError("a span is not in the text")


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


def _annotator(account_id: int | None, emails: Mapping[int, str]) -> str:
    return (
        "deleted account" if account_id is None else emails.get(account_id, f"account {account_id}")
    )
