"""Replies that the labelling page waits for, and Label Studio need not give. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOMENT = "2026-01-01T00:00:00.000Z"
"""Stands where the page fails without a time."""
EMPTY_PAGE: Mapping[str, Any] = {"count": 0, "next": None, "previous": None, "results": []}
_PART: Mapping[str, Any] = {
    "version": "",
    "short_version": "",
    "message": "",
    "commit": "",
    "branch": "",
    "date": MOMENT,
    "latest_version_upload_time": MOMENT,
}
PARTS = (
    "label-studio-os-package", "label-studio-os-backend", "label-studio-frontend", "dm2",
    "label-studio-converter", "lsf", "backend",
)  # fmt: skip
VERSION: Mapping[str, Any] = {"release": "", "edition": ""} | dict.fromkeys(PARTS, _PART)


def canned_reply(path: str, user: int, account: str, data_keys: Sequence[str]) -> Any:
    """The reply at a path, for the user with this number and this account; `data_keys` are those
    of the data of a task that the page shows."""
    match path:
        case "/api/current-user/whoami":
            return _user(user, account)
        case "/api/users":
            return [_user(user, account)]
        case "/api/version":
            return VERSION
        case "/api/ml":
            return []
        case "/api/label_links":
            return EMPTY_PAGE
        case "/api/dm/columns":
            return {"columns": _columns(data_keys)}
        case "/api/dm/views":
            return [VIEW]
        case "/api/tasks":
            return {"total": 0, "total_annotations": 0, "total_predictions": 0, "tasks": []}
    raise LookupError(path)


def _columns(keys: Iterable[str]) -> list[Any]:
    """The columns of tasks. The page reads of a task's data what a column names, and no more."""
    data = {"id": "data", "title": "data", "type": "List", "target": "tasks"}
    seen = {"explore": True, "labeling": True}
    parts = [
        {
            "id": key,
            "title": key,
            "type": "String",
            "target": "tasks",
            "parent": "data",
            "visibility_defaults": seen,
            "project_defined": True,
        }
        for key in keys
    ]
    return [*parts, data | {"children": list(keys), "visibility_defaults": seen}]


VIEW: Mapping[str, Any] = {
    "id": 1,
    "data": {
        "title": "",
        "type": "list",
        "target": "tasks",
        "hiddenColumns": {"explore": [], "labeling": []},
        "filters": {"conjunction": "and", "items": []},
        "ordering": [],
    },
    "order": 0,
    "project": 0,
}


def _user(user: int, account: str) -> dict[str, Any]:
    return {
        "id": user,
        "email": account,
        "username": account,
        "first_name": "",
        "last_name": "",
        "initials": "",
        "avatar": None,
        "date_joined": MOMENT,
        "last_activity": MOMENT,
        "custom_hotkeys": {},
        "active_organization": 1,
        "permissions": [],
    }
