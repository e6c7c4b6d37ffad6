"""Between our words and Label Studio's task JSON. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from biasloop.labelstudio.config import LabelConfig
from biasloop.ports import LabelTask, RawAnnotation, TaskState


def to_json(task: LabelTask, config: LabelConfig) -> dict[str, Any]:
    """The task as Label Studio imports it. Nothing in it tells the arm."""
    data: dict[str, Any] = {config.value: task.text, "item_id": task.item_id, "round": task.round}
    if config.context is not None:
        data[config.context] = task.context
    return {"data": data}


def to_state(task: Mapping[str, Any], emails: Mapping[int, str]) -> TaskState:
    """A listed or exported task with the annotations that it has now.

    `emails` maps the number of an account to its address; a deleted account keeps its number.
    """
    item_id = str(task["data"]["item_id"])
    return TaskState(
        task_id=task["id"],
        item_id=item_id,
        updated_at=moment(task["updated_at"]),
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
