"""Values as tools write them: missing ones, numbers as ids, and labels in one cell or in a list."""

import ast
import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from biasloop.domain.cells import split_labels
from biasloop.intake.record import BadRow
from biasloop.intake.tables import Unreadable

_MISSING_WORDS = frozenset({"nan", "NaN", "None", "<NA>", "NaT"})
"""What pandas and Python write for "nothing" when a column is turned into text."""
_WHOLE = re.compile(r"(-?\d+)\.0+")
_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_LIST = re.compile(rf"\[\s*(?:(?:{_STRING})[\s,]*)*\]")


def is_missing(value: Any, *, words: bool = False) -> bool:
    """Whether a cell holds nothing: None, "", NaN; with `words` also a word for it, as "nan"."""
    if value is None or value == "":
        return True
    if isinstance(value, float | Decimal):
        return math.isnan(value)
    return words and isinstance(value, str) and value in _MISSING_WORDS


def as_text(value: Any, name: str) -> str:
    """A value as text; a number that is whole is written without a decimal point.

    Raises BadRow, which names the field `name`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Unreadable):
        raise BadRow(f"{name} cannot be read: {value.reason}")
    if isinstance(value, datetime):
        return (value.date() if value.time() == datetime.min.time() else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise BadRow(f"{name} is not a string")
    if not math.isfinite(value):
        raise BadRow(f"{name} is not a string")
    return str(int(value)) if value == int(value) else str(value)


def as_id(value: Any, name: str = "id") -> str:
    """An id as text, the same whatever the format: "" for a missing one, 1.0 and "1.0" are "1"."""
    if is_missing(value, words=True):
        return ""
    return whole_number(as_text(value, name).strip())


def whole_number(text: str) -> str:
    """A number such as "1.0" without its decimal point, any other text as it is. In CSV a column of
    whole numbers has decimal points as soon as pandas finds one of them missing."""
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def label_names(values: Mapping[str, Any]) -> list[str] | None:
    """The labels in the fields `labels` (a list, or several in one cell) or `label` (a name); None
    if both are missing. Raises BadRow."""
    value = values.get("labels")
    if is_missing(value):
        value = values.get("label")
        if is_missing(value):
            return None
        value = value if isinstance(value, list | tuple) else [value]
    names = _listed(value) if isinstance(value, str) else value
    names = names if isinstance(names, list | tuple) else [names]
    texts = [as_text(name, "label").strip() for name in names if not is_missing(name)]
    return list(dict.fromkeys(filter(None, texts)))


def _listed(cell: str) -> list[Any]:
    """The labels in one cell: joined by "|", or a list as JSON, Python or numpy write it."""
    if cell.startswith("[") and cell.endswith("]"):
        try:
            listed = json.loads(cell)
            if isinstance(listed, list):
                return listed
        except (ValueError, RecursionError):
            pass
        if _LIST.fullmatch(cell):
            try:
                return [ast.literal_eval(part) for part in re.findall(_STRING, cell)]
            except (ValueError, SyntaxError):
                pass
    return split_labels(cell)
