"""Removes people, and erases who they were from the workspace and its backups."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from biasloop.domain.person import Person, normalise_email
from biasloop.errors import BiasloopError, DataError
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.workspace.positions import Positions


@dataclass(frozen=True, slots=True)
class Removal:
    """Who was removed (`pseudonym`), whether they were `erased`, from which `backups` as well, and
    which backups could not be opened (`backups_left`) or are not where they were made
    (`backups_missing`)."""

    pseudonym: str
    erased: bool = False
    backups: tuple[str, ...] = ()
    backups_left: tuple[str, ...] = ()
    backups_missing: tuple[str, ...] = ()


def remove_person(service: Service, email: str, *, erase: bool = False) -> Removal:
    """Ends all that somebody may do; their votes stay under their pseudonym. `erase` also replaces
    name and address by nothing, in the backups that can be found as well, so that they do not come
    back with one of them. After any failure, the same call does the rest.

    Raises DataError when nobody has this address.
    """
    sought = normalise_email(email)
    people = [p for p in service.ledger.people.all() if p.email and p.email == sought]
    if not people:
        raise DataError(
            f"nobody has the address {email[:80]!r}; `biasloop annotator list` shows everyone"
        )
    for person in people:
        if person.removed_at is None:
            service.access.remove(person)
    newest = people[-1].id
    if not erase:
        return Removal(newest)
    # Backups first: as long as the address is here, the same call can be made again.
    known = service.ledger.control.bookmark(Bookmark.BACKUPS) or []
    others = [folder for folder in known if Path(folder) != service.layout.folder]
    here = [folder for folder in others if Path(folder).exists()]
    done, left = _erase_from_backups(here, people, email)
    if not left:
        _erase(service, people, email)
    missing = sorted({*others} - {*here})
    return Removal(newest, not left, tuple(done), tuple(left), tuple(missing))


def _erase(service: Service, people: list[Person], email: str) -> None:
    known = {person.id for person in service.ledger.people.all()}
    for person in people:
        if person.id in known:
            service.access.remove(person)  # in a backup they may still be able to enter
            service.ledger.people.erase(person.id)
    _forget_position(service, email)


def _forget_position(service: Service, email: str) -> None:
    with suppress(DataError):  # nothing is stored about them
        Positions(service.layout.positions).withdraw(email)


def _erase_from_backups(
    folders: list[str], people: list[Person], email: str
) -> tuple[list[str], list[str]]:
    """Returns (backups from which they were erased, backups that could not be opened)."""
    done, left = [], []
    for folder in folders:
        try:
            backup = Service(Path(folder))
            try:
                if backup.settings.ledger_url:  # the ledger is the one in use
                    _forget_position(backup, email)
                else:
                    _erase(backup, people, email)
                done.append(folder)
            finally:
                backup.close()
        except (BiasloopError, OSError):
            left.append(folder)
    return done, left
