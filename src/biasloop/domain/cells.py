r"""Cells of a table without types: several labels in one cell, and text that looks like a formula.

Labels are joined by "|". Within a label, "|" is written as "\|" and "\" as "\\"; a leading "[" gets
a "\", because other tools write whole lists into one cell ("['age', 'gender']").
"""

import re
from collections.abc import Iterable

FORMULA = (*"=+-@＝＋－＠", "\t", "\r", "\n")
"""A cell that begins with one of these may be run as a formula (OWASP, "CSV Injection")."""

FORMULA_PATTERN = r"^'*[=+\-@＝＋－＠\t\r\n]"
"""Finds the same, also behind leading ', as a regular expression for Python and for RE2."""

_DEFUSED = re.compile(rf"'+[{re.escape(''.join(FORMULA))}]")
_PART = re.compile(r"(?:\\[\\|\[]|[^|])*")
_ESCAPED = re.compile(r"\\([\\|\[])")


def join_labels(labels: Iterable[str]) -> str:
    """One cell; `split_labels` gives the labels back."""
    cell = "|".join(label.replace("\\", "\\\\").replace("|", "\\|") for label in labels)
    return f"\\{cell}" if cell.startswith("[") else cell


def split_labels(cell: str) -> list[str]:
    """The labels of a cell; a backslash before any other character stands for itself."""
    parts: list[str] = []
    position = 0
    while match := _PART.match(cell, position):
        parts.append(_ESCAPED.sub(r"\1", match[0]))
        position = match.end() + 1
        if position > len(cell):
            break
    return parts


def defuse_formula(cell: str) -> str:
    """Puts a ' before text that a spreadsheet would run, and before text that looks defused."""
    return f"'{cell}" if cell.startswith(FORMULA) or _DEFUSED.match(cell) else cell


def restore_formula(cell: str) -> str:
    """Undoes `defuse_formula`."""
    return cell[1:] if _DEFUSED.match(cell) else cell
