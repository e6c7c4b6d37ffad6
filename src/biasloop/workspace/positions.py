"""What annotators said of themselves: read from a CSV, kept with their consent, reported by group.

One file of the workspace holds it, readable for its owner alone; ledger, exports, models and logs
never do. So withdrawing takes it out of everything but backups made before.
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
from biasloop.intake.files import BadRow, records
from biasloop.store.atomic import remove_leftovers, written_whole

WHO, CONSENT = "annotator", "consent"
MAX_CHARACTERS = 80
"""Characters of a dimension, and of what somebody says of it."""


@dataclass(frozen=True, slots=True)
class Position:
    """What a person says of themselves, by dimension, since they agreed to it."""

    consent: date
    said: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """The people who said the same of themselves, and how they vote; see GroupView."""

    group: str
    people: int
    agreement: Interval | None
    as_consensus: Interval | None
    apart: Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class Dimension:
    """What people may say of themselves, as gender: the groups that may be shown, and whether
    others are hidden."""

    dimension: str
    hidden: bool
    groups: Sequence[Group]


class Positions:
    """The positions of a workspace, by e-mail address in lower case."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> dict[str, Position]:
        """Raises WorkspaceError when the file is damaged."""
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            return {
                who: Position(date.fromisoformat(one["consent"]), one["said"])
                for who, one in kept.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorkspaceError(
                f"cannot read {self._path}: {error}; take it from a backup, or delete it and read "
                "the CSV again (`biasloop annotator positions`)"
            ) from error

    def add(self, file: Path, today: date) -> tuple[int, list[str]]:
        """Reads a CSV with the columns `annotator`, `consent` (the date on which they agreed) and
        one for each dimension; empty cells say nothing. A row replaces what was known.

        Returns how many were taken, and for every row that was not why. Raises DataError when the
        file cannot be read or lacks a column.
        """
        known, refused, taken = self.all(), [], 0
        for line, _, row in records(file, {WHO, CONSENT}, lambda _: None):
            try:
                who, position = _read(row, today)
            except ValueError as error:
                refused.append(f"line {line}: {error}")
                continue
            known[who] = position
            taken += 1
        self._write(known)
        return taken, refused

    def withdraw(self, who: str) -> None:
        """Forgets what this person said. Raises DataError when there is nothing."""
        known = self.all()
        if known.pop(who.strip().lower(), None) is None:
            raise DataError(
                f"nothing is kept of {who!r}; addresses are those of Label Studio accounts"
            )
        self._write(known)

    def _write(self, positions: Mapping[str, Position]) -> None:
        kept = {
            who: {"consent": one.consent.isoformat(), "said": dict(one.said)}
            for who, one in sorted(positions.items())
        }
        try:
            remove_leftovers(self._path)  # they may hold what is withdrawn
            with (
                written_whole(self._path) as temporary,
                open(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file,
            ):
                json.dump(kept, file, ensure_ascii=True, indent=1)
        except OSError as error:
            raise WorkspaceError(
                f"cannot write {self._path}: {error.strerror}; nothing changed; check free space "
                "and rights"
            ) from error


def by_group(
    positions: Mapping[str, Position],
    votes: Sequence[Annotation],
    consensus: Mapping[str, Sequence[str]],
    roots: Mapping[str, str],
    scheme: Scheme,
    seed: int,
) -> list[Dimension]:
    """For each dimension its groups that may be shown, and whether others are hidden."""
    people = {vote.annotator for vote in votes}
    said = {who: positions[who.lower()].said for who in people if who.lower() in positions}
    report = []
    for dimension in sorted({name for position in said.values() for name in position}):
        groups: dict[str, set[str]] = {}
        for who, position in said.items():
            if dimension in position:
                groups.setdefault(position[dimension], set()).add(who)
        names = groups_to_show(groups, people)
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


def _read(row: Mapping[str, Any] | BadRow, today: date) -> tuple[str, Position]:
    """Raises ValueError with what is wrong."""
    if isinstance(row, BadRow):
        raise ValueError(str(row))
    cells = {str(k).strip(): str(v).strip() for k, v in row.items() if v is not None}
    who, consent = cells.pop(WHO, "").lower(), cells.pop(CONSENT, "")
    if "@" not in who:
        raise ValueError(f"{who!r} is no e-mail address of an annotator")
    if not consent:
        raise ValueError(f"{who} has not agreed: `{CONSENT}` is empty")
    try:
        since = date.fromisoformat(consent)
    except ValueError:
        raise ValueError(
            f"{consent!r} is no date; `{CONSENT}` holds the day on which {who} agreed, as "
            f"{today.isoformat()}"
        ) from None
    if since > today:
        raise ValueError(f"{who} agrees only on {consent}")
    said = {name: value for name, value in cells.items() if name and value}
    if too_long := [n for n, value in said.items() if max(len(n), len(value)) > MAX_CHARACTERS]:
        raise ValueError(
            f"{who}: {too_long[0][:MAX_CHARACTERS]!r} is over {MAX_CHARACTERS} characters"
        )
    return who, Position(since, said)
