"""Positions: what annotators stated about themselves (as gender or age), stored with their consent
and reported by group.

They are stored in one file of the workspace, which only its owner can read, and nowhere else: not
in ledger, exports, models or logs. Withdrawing a position thus removes it from everything but
earlier backups.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import Scheme
from biasloop.domain.measure.resample import Interval
from biasloop.domain.votes.position import groups_to_show, view_group
from biasloop.errors import DataError, WorkspaceError
from biasloop.intake.files import records
from biasloop.intake.record import BadRow, Reading
from biasloop.intake.values import as_text, is_missing, whole_number
from biasloop.store.atomic import remove_leftovers, written_whole

ANNOTATOR_COLUMN, CONSENT_COLUMN = "annotator", "consent"
MAX_CHARACTERS = 80
"""Longest name of a dimension, and longest answer."""


@dataclass(frozen=True, slots=True)
class Position:
    """An annotator's answers by dimension, and the date on which they agreed to their storage."""

    consent: date
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """The annotators who gave the same answer, and how they vote; see GroupView."""

    group: str
    people: int
    agreement: Interval | None
    as_consensus: Interval | None
    apart: Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class Dimension:
    """A question about annotators, as gender: the groups that may be shown, and whether there are
    others, which are hidden because so few people are in them."""

    dimension: str
    hidden: bool
    groups: Sequence[Group]


class Positions:
    """The positions of a workspace, in the file `path`, by e-mail address in lower case."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> dict[str, Position]:
        """Every position by e-mail address. Raises WorkspaceError when the file is damaged."""
        try:
            stored = json.loads(self._path.read_text("utf-8"))
            return {
                email: Position(date.fromisoformat(position["consent"]), position["said"])
                for email, position in stored.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorkspaceError(
                f"cannot read {self._path}: {error}; restore it from a backup, or delete it and "
                "read the CSV again (`biasloop annotator positions`)"
            ) from error

    def add(self, file: Path, today: date, encoding: str | None = None) -> tuple[int, list[str]]:
        """Reads a table with the columns `annotator`, `consent` (the date on which they agreed) and
        one for each dimension; empty cells are ignored. A row replaces an earlier position.

        Returns the number of accepted rows, and a message for every refused one. Raises DataError
        when the file cannot be read or lacks a column.
        """
        positions, refusals, accepted = self.all(), [], 0
        needed = frozenset({ANNOTATOR_COLUMN, CONSENT_COLUMN})
        for line, _, row in records(file, Reading(needed=needed, encoding=encoding)):
            try:
                email, position = _read_row(row, today)
            except (BadRow, ValueError) as error:
                refusals.append(f"line {line}: {error}")
                continue
            positions[email] = position
            accepted += 1
        self._write(positions)
        return accepted, refusals

    def withdraw(self, email: str) -> None:
        """Deletes the position of this annotator. Raises DataError when there is none."""
        positions = self.all()
        if positions.pop(email.strip().lower(), None) is None:
            raise DataError(
                f"nothing is stored about {email!r}; give the e-mail address of an annotator"
            )
        self._write(positions)

    def _write(self, positions: Mapping[str, Position]) -> None:
        content = {
            email: {"consent": position.consent.isoformat(), "said": dict(position.answers)}
            for email, position in sorted(positions.items())
        }
        try:
            remove_leftovers(self._path)  # they may hold a withdrawn position
            with (
                written_whole(self._path) as temporary,
                open(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file,
            ):
                json.dump(content, file, ensure_ascii=True, indent=1)
        except OSError as error:
            raise WorkspaceError(
                f"cannot write {self._path}: {error.strerror}; nothing changed; check free space "
                "and permissions"
            ) from error


def by_group(
    positions: Mapping[str, Position],
    votes: Sequence[Annotation],
    consensus: Mapping[str, Sequence[str]],
    roots: Mapping[str, str],
    scheme: Scheme,
    seed: int,
) -> list[Dimension]:
    """Reports votes by group, one entry per dimension.

    `consensus` holds the labels, `roots` the ad of each item, by item id.
    """
    annotators = {vote.annotator for vote in votes}
    answers_by_annotator = {
        annotator: positions[annotator.lower()].answers
        for annotator in annotators
        if annotator.lower() in positions
    }
    report = []
    for dimension in sorted(
        {name for answers in answers_by_annotator.values() for name in answers}
    ):
        groups: dict[str, set[str]] = {}
        for annotator, answers in answers_by_annotator.items():
            if dimension in answers:
                groups.setdefault(answers[dimension], set()).add(annotator)
        names = groups_to_show(groups, annotators)
        views = {n: view_group(votes, groups[n], consensus, roots, scheme, seed) for n in names}
        report.append(
            Dimension(
                dimension,
                hidden=len(names) < len(groups),
                groups=[
                    Group(name, v.people, v.agreement, v.as_consensus, v.apart)
                    for name, v in views.items()
                ],
            )
        )
    return report


def _as_answer(value: Any, column: str) -> str:
    """A cell as text; "" if it is empty. Unlike in an id, "None" is an answer."""
    return "" if is_missing(value) else whole_number(as_text(value, column).strip())


def _read_row(row: Mapping[str, Any] | BadRow, today: date) -> tuple[str, Position]:
    """(e-mail address, position) of a row. Raises ValueError or BadRow when it is not valid."""
    if isinstance(row, BadRow):
        raise row
    cells = {name.strip(): _as_answer(value, name.strip()) for name, value in row.items()}
    email, consent = cells.pop(ANNOTATOR_COLUMN, "").lower(), cells.pop(CONSENT_COLUMN, "")
    if "@" not in email:
        raise ValueError(f"{email!r} is not the e-mail address of an annotator")
    if not consent:
        raise ValueError(f"{email} has not agreed: `{CONSENT_COLUMN}` is empty")
    try:
        consent_date = date.fromisoformat(consent)
    except ValueError:
        raise ValueError(
            f"{consent!r} is not a date; `{CONSENT_COLUMN}` must be the day on which {email} "
            f"agreed, such as {today.isoformat()}"
        ) from None
    if consent_date > today:
        raise ValueError(f"the consent of {email} is dated in the future: {consent}")
    answers = {name: value for name, value in cells.items() if name and value}
    if too_long := [n for n, value in answers.items() if max(len(n), len(value)) > MAX_CHARACTERS]:
        raise ValueError(
            f"{email}: {too_long[0][:MAX_CHARACTERS]!r}, or its value, has over {MAX_CHARACTERS} "
            "characters"
        )
    return email, Position(consent_date, answers)
