"""Between our words and Label Studio's task JSON. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from biasloop.domain.span import Span, align_to_words
from biasloop.domain.task import LabelTask, RawAnnotation, TaskState
from biasloop.labelstudio.label_config import LabelConfig

PRELABEL = "prelabel"
"""The one model version that Label Studio is to show; the first import makes it the project's."""


def to_json(task: LabelTask, config: LabelConfig) -> dict[str, Any]:
    """The task as Label Studio imports it. Nothing in it tells the arm."""
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
    """A listed or exported task with the annotations that it has now.

    `emails` maps the number of an account to its address; a deleted account keeps its number.
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
    """The numbers of the accounts that annotated these tasks."""
    return {
        annotation["completed_by"]
        for task in tasks
        for annotation in task.get("annotations") or ()
        if annotation.get("completed_by") is not None
    }


def chosen(result: Sequence[Mapping[str, Any]], choices_name: str) -> tuple[str, ...]:
    """What was chosen in the `Choices` of that name, each once, in order.

    Label Studio checks no result: what is no string comes back as one that no scheme has, so that
    the annotation is set aside instead of counted in part.
    """
    names: list[str] = []
    for region in result:
        match region:
            case {"type": "choices", "from_name": name, "value": {"choices": [*values]}}:
                names += [str(value) for value in values if name == choices_name]
    return tuple(dict.fromkeys(names))


def spans(result: Sequence[Mapping[str, Any]], text_name: str, text: str) -> list[Span]:
    """The spans marked in the `Text` of that name, whose content is `text`, as they were drawn.

    Raises ValueError for one that is not in the text, or not what it says it is.
    """
    found = []
    for region in result:
        match region:
            case {"type": "labels", "to_name": name, "value": value} if name == text_name:
                start, end = _place(value, text)
                found += [Span(start, end, str(label)) for label in value["labels"]]
    return found


def marked(result: Sequence[Mapping[str, Any]], text_name: str, text: str) -> list[Span]:
    """The same spans as whole words, each once; none where one is not in the text."""
    try:
        drawn = spans(result, text_name, text)
    except ValueError:
        return []
    whole = (align_to_words(span, text) for span in drawn)
    return list(dict.fromkeys(span for span in whole if span))


def rewrites(result: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was written into text areas, without white space around it."""
    return [
        str(line).strip()
        for region in result
        if region.get("type") == "textarea"
        for line in region.get("value", {}).get("text") or ()
        if str(line).strip()
    ]


def _place(value: Mapping[str, Any], text: str) -> tuple[int, int]:
    """Where a span is, in characters: a browser counts one beyond U+FFFF as two."""
    start, end, labels = value.get("start"), value.get("end"), value.get("labels")
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(labels, list)):
        raise ValueError("no place, or no labels")
    said = str(value["text"]).replace("\\n", "\n").split() if "text" in value else None
    for codec, width in (("utf-32-le", 4), ("utf-16-le", 2)):
        units = text.encode(codec)
        if 0 <= start < end <= len(units) // width:
            first, last = (len(units[: width * i].decode(codec, "ignore")) for i in (start, end))
            if said is None or text[first:last].split() == said:
                return first, last
    raise ValueError("not in the text")


def moment(value: str | datetime) -> datetime:
    """An aware UTC datetime out of Label Studio's ISO 8601."""
    read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return read.astimezone(UTC)


def timestamp(value: datetime) -> str:
    """The one format that a filter of Label Studio reads."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def task_filter(column: str, operator: str, kind: str, value: Any) -> dict[str, Any]:
    """One condition on a list of tasks."""
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": kind,
        "value": value,
    }


def to_html(markdown: str) -> str:
    """Label Studio shows instructions as HTML; HTML within the Markdown comes out as text."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown))


def _annotator(number: int | None, emails: Mapping[int, str]) -> str:
    return "deleted account" if number is None else emails.get(number, f"account {number}")
