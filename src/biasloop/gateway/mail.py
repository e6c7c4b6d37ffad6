"""The text with which a personal link is sent, in the campaign's language. Pure."""

from dataclasses import dataclass
from datetime import datetime

from biasloop.gateway.words import words_of


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that somebody sends; biasloop sends none."""

    subject: str
    text: str


def invitation(language: str, title: str, name: str, link: str, until: datetime) -> Mail:
    """The mail with a personal link to the campaign of this title, valid until `until` (shown in
    the local time zone)."""
    words = words_of(language)
    day = until.astimezone().strftime(words["date"])
    greeting = words["mail_greeting"] if name else words["mail_greeting_no_name"]
    text = words["mail"].format(title=title, link=link, until=day)
    return Mail(
        words["mail_subject"].format(title=title),
        f"{greeting.format(name=name)}\n\n{text.strip()}",
    )
