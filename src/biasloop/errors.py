"""Every error that biasloop raises on purpose.

BiasloopError
├── ConfigError              biasloop.toml, environment, secrets
├── CampaignError            label_config.xml, guideline, campaign.toml
├── WorkspaceError           missing, locked, unreadable, full
├── DataError                input that cannot be read at all (bad rows go to the rejects file)
├── PoolError                a shard or an item is missing
├── LedgerError              the database refuses a write or is damaged
│   └── LostLease            another process has claimed the round; our work is discarded
├── LabelStudioError
│   ├── LabelStudioDown      no answer, a time-out or a 5xx: worth trying again
│   └── LabelStudioRefused   wrong token or permissions, or a refused request: someone must fix it
├── LlmError
│   ├── LlmDown              no answer, a time-out, a 5xx or too many requests
│   └── LlmRefused           wrong key, model or request: someone must fix it
├── ClassifierError          training failed, or a model folder is damaged
├── JobError                 a child process failed
└── UnknownName              no plug-in has that name

A message says what went wrong, where, and what to do next.
"""

import shutil
from collections.abc import Iterable, Mapping
from typing import Any

_TABLE = "must be a table with a value for each name, such as {{ NAME = {value} }}"
_LIST = "must be a list, such as [{value}]"
_WHOLE, _NUMBER = "must be a whole number{but}", "must be a number{but}"
_YES_OR_NO = "must be true or false{but}"
_WANTED = {
    "missing": "must be given",
    "extra_forbidden": "there is no such setting",
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "string_type": 'must be in quotes, such as "{value}"',
    "path_type": 'must be a path in quotes, such as "FOLDER"',
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
}
"""What to write, by type of a problem in pydantic."""


class BiasloopError(Exception):
    """Base of all errors. `exit_code` is the exit code of the command line."""

    exit_code = 1


class ConfigError(BiasloopError):
    """A setting is unknown, missing or out of range."""

    exit_code = 2


class CampaignError(BiasloopError):
    """A file of the campaign folder is missing or invalid."""

    exit_code = 2


class WorkspaceError(BiasloopError):
    """The workspace folder cannot be used in its present state."""


class DataError(BiasloopError):
    """An input file cannot be read at all."""


class PoolError(BiasloopError):
    """The pool lacks a shard or an item, or another writer has locked it."""


class LedgerError(BiasloopError):
    """The ledger refuses a write or cannot be read."""


class LostLease(LedgerError):
    """Another process has claimed the round in the meantime; nothing was written."""


class LabelStudioError(BiasloopError):
    """A request to Label Studio failed; `status` is that of its answer, None without an answer."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LabelStudioDown(LabelStudioError):
    """No answer, a time-out or a server error; the same request may succeed later."""


class LabelStudioRefused(LabelStudioError):
    """Label Studio refused the request because of its token, permissions or content."""


class LlmError(BiasloopError):
    """A request to the server of the language model failed."""


class LlmDown(LlmError):
    """No answer, a time-out, a server error or a rate limit; the request may succeed later."""


class LlmRefused(LlmError):
    """The server refused the request because of its key, model or content."""


class ClassifierError(BiasloopError):
    """Training is not possible with this data, or a model folder is damaged."""


class JobError(BiasloopError):
    """A child process ended without a result."""


class UnknownName(BiasloopError):
    """No plug-in of that kind has that name."""

    exit_code = 2


def describe_error(error: Exception) -> str:
    """The message that users see for an error.

    A BiasloopError keeps its message, an error of the operating system (disk full, permissions)
    gets a hint on what to check, and any other error is marked as unexpected.
    """
    if isinstance(error, BiasloopError):
        return str(error)
    if isinstance(error, OSError):
        path = f" {error.filename}" if error.filename else ""
        return f"cannot use{path}: {reason(error)}; check path, permissions and free space"
    return f"unexpected: {error!r}"


def reason(error: OSError) -> str:
    """What the operating system says, in one line. An error of `shutil` lists one reason for each
    file: the first one is given."""
    failures = error.args[0] if isinstance(error, shutil.Error) and error.args else None
    if isinstance(failures, list) and failures:
        return str(failures[0][-1])
    return error.strerror or str(error)


def describe_problems(problems: Iterable[Mapping[str, Any]], known: Iterable[str] = ()) -> str:
    """What is wrong with a file of settings: each problem that pydantic found, with its key and
    what to write instead. `known` are the keys that there are."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'all'}: {describe_problem(problem, known)}"
        for problem in problems
    )


def describe_problem(problem: Mapping[str, Any], known: Iterable[str] = ()) -> str:
    """What is wrong with one key; see describe_problems."""
    kind, value = problem["type"], problem["input"]
    if kind == "extra_forbidden" and known:
        return f"{_WANTED[kind]}; the settings here are {', '.join(known)}"
    # Text is not repeated: it may be a password that was put into the wrong place.
    is_number = isinstance(value, int | float)
    but = f", not {value!r}" if is_number else ""
    if kind in _WANTED:
        return _WANTED[kind].format(value=value if is_number else "…", but=but)
    return str(problem["msg"]).replace("Input should", "must") + but
