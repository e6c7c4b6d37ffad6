"""What annotators see of Label Studio's replies: nothing of others, nothing that they do not need.
Pure; every function takes JSON as Label Studio gave it and raises TypeError, KeyError, ValueError
or AttributeError when it is something else."""

from collections.abc import Iterable, Mapping
from typing import Any

TASK_KEYS = (
    "id", "inner_id", "data", "meta", "predictions", "project", "queue", "unique_lock_id",
    "overlap", "created_at",
)  # fmt: skip
ANNOTATION_KEYS = (
    "id", "result", "created_at", "updated_at", "draft_created_at", "lead_time", "was_cancelled",
    "ground_truth", "unique_id", "task", "project", "result_count", "created_ago",
    "parent_prediction", "parent_annotation",
)  # fmt: skip
DRAFT_KEYS = (
    "id", "result", "created_at", "updated_at", "lead_time", "was_postponed", "task",
    "annotation", "created_ago",
)  # fmt: skip
PROJECT_KEYS = (
    "id", "title", "label_config", "parsed_label_config", "show_skip_button",
    "enable_empty_annotation", "show_annotation_history", "color", "is_published", "is_draft",
    "model_version", "maximum_annotations", "show_collab_predictions", "sampling",
    "reveal_preannotations_interactively", "skip_queue", "config_has_control_tags",
    "config_suitable_for_bulk_annotation", "queue_total", "queue_done", "has_blocked_tasks",
)  # fmt: skip
HISTORY_KEYS = ("taskId", "annotationId")


def strip_task(task: Mapping[str, Any], user: int, account: str) -> dict[str, Any]:
    """A task with one's own annotations and drafts alone: those of this number and this account."""
    annotations = [strip_annotation(a) for a in own_annotations(task, user)]
    drafts = [
        _pick(draft, DRAFT_KEYS)
        for draft in task.get("drafts") or ()
        if draft.get("user") == account
    ]
    return _pick(task, TASK_KEYS) | {
        "annotations": annotations,
        "drafts": drafts,
        "total_annotations": len(annotations),
        "cancelled_annotations": sum(bool(a.get("was_cancelled")) for a in annotations),
        "total_predictions": len(task.get("predictions") or ()),
    }


def own_annotations(task: Mapping[str, Any], user: int) -> list[Mapping[str, Any]]:
    """The annotations of a task that this user made."""
    return [a for a in task.get("annotations") or () if author_of(a) == user]


def author_of(annotation: Mapping[str, Any]) -> int | None:
    """The user who made an annotation; some replies hold the whole user, some the number."""
    author = annotation.get("completed_by")
    value = author.get("id") if isinstance(author, Mapping) else author
    return value if isinstance(value, int) else None


def strip_annotation(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """One's own annotation."""
    return _pick(annotation, ANNOTATION_KEYS) | {"completed_by": author_of(annotation)}


def strip_draft(draft: Mapping[str, Any]) -> dict[str, Any]:
    """One's own draft."""
    return _pick(draft, DRAFT_KEYS)


def strip_project(project: Mapping[str, Any]) -> dict[str, Any]:
    """What the page needs of a project. The guideline is shown by our own page."""
    open_tasks = max(1, int(project.get("queue_total") or 0))  # none at all would ask for an import
    return _pick(project, PROJECT_KEYS) | {
        "show_instruction": False,
        "expert_instruction": "",
        "task_count": open_tasks,
        "task_number": open_tasks,
    }


def strip_history(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tasks that one has answered, in order."""
    return [_pick(entry, HISTORY_KEYS) for entry in entries]


def _pick(values: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: values[key] for key in keys if key in values}
