"""People who may enter a campaign, and what their roles open to them. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

ANNOTATOR = "annotator"
LABELLING = "labelling"

ROLES: Mapping[str, frozenset[str]] = {ANNOTATOR: frozenset({LABELLING})}
"""What each role opens. A role is a word in the ledger: one that is not here opens nothing."""

MAX_NAME = 100
MAX_EMAIL = 254
ACCOUNT_DOMAIN = "biasloop.invalid"
"""A domain that nobody can have (RFC 2606): mail to an account goes nowhere."""

_EMAIL = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+\.[^@\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may enter, under the pseudonym `id`. Once erased, `email` and `name` are "".

    `policy_id` is the version of the guideline that was last shown to them in full.
    """

    id: str
    email: str
    name: str
    role: str
    added_at: datetime
    removed_at: datetime | None = None
    policy_id: str | None = None

    @property
    def account(self) -> str:
        """The name of their account in Label Studio, by which votes are recorded. It says nothing
        about them, so there is nothing to erase there."""
        return f"{self.id}@{ACCOUNT_DOMAIN}"

    def may_enter(self, place: str) -> bool:
        """Whether their role opens this place to them."""
        return self.removed_at is None and place in ROLES.get(self.role, frozenset())


def normalise_email(email: str) -> str:
    """The address in the form in which addresses are stored and compared."""
    return unicodedata.normalize("NFC", email.strip().casefold())


def email_problem(email: str) -> str | None:
    """What is wrong with an e-mail address; None if it can be one."""
    if len(email) > MAX_EMAIL:
        return f"it has more than {MAX_EMAIL} characters"
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        return "write it as name@example.org"
    return None


def name_problem(name: str) -> str | None:
    """What is wrong with the name of a person; None if it can be one."""
    if len(name) > MAX_NAME:
        return f"it has more than {MAX_NAME} characters"
    return None if name.isprintable() else "it has characters that cannot be printed"
