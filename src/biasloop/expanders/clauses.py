"""A request or a formula put into a sentence, or taken out of it."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biasloop.errors import CampaignError
from biasloop.expanders.draft import Draft
from biasloop.expanders.labels import LabelNames
from biasloop.expanders.language import Language

_PART = re.compile(r"(?:[^,]|,(?! ))+")
_FEWEST_WORDS_LEFT = 3


@dataclass(frozen=True, slots=True)
class Clause:
    """Texts that ask for something and the label they bring; `cue` finds such requests."""

    label: str
    cue: re.Pattern[str]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clauses:
    """All clauses of a campaign and the sentences that they fit."""

    fits: re.Pattern[str]
    bars: re.Pattern[str]
    longest: int
    fewest: int
    most: int
    clauses: tuple[Clause, ...]
    disclaimers: tuple[str, ...]
    disclaimer: re.Pattern[str]

    def fit(self, text: str, labels: Sequence[str], names: LabelNames) -> bool:
        """Whether a clause can stand at the end of this text: a search for somebody that asks
        nothing personal yet, neither too short nor too long."""
        body = _body(text)[0]
        return (
            set(labels) <= {names.none, names.sought}
            and self.fewest <= len(body.split()) <= self.most
            and bool(self.fits.search(text))
            and not self.bars.search(body)
        )


def read_clauses(path: Path) -> Clauses:
    """Reads clauses.toml. Raises CampaignError when it is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Clauses(
            fits=re.compile(table["fits"]),
            bars=re.compile(table["bars"]),
            longest=table["longest"],
            fewest=table["fewest_words"],
            most=table["most_words"],
            clauses=tuple(
                Clause(one["label"], re.compile(one["cue"]), tuple(one["texts"]))
                for one in table["clause"]
            ),
            disclaimers=tuple(table["disclaimer"]["texts"]),
            disclaimer=re.compile(table["disclaimer"]["found"]),
        )
    except (OSError, ValueError, KeyError, TypeError, re.error) as error:
        raise CampaignError(f"{path}: the clauses cannot be read ({error!r})") from error


def clause_versions(
    text: str, labels: Sequence[str], clauses: Clauses, language: Language, names: LabelNames
) -> Iterator[Draft]:
    """The sentence with a request more, or with one less."""
    fits = clauses.fit(text, labels, names)
    body, end = _body(text)
    for clause in clauses.clauses:
        if clause.label in labels:
            yield from _without(text, labels, clause, clauses, language, names)
        elif fits and not clause.cue.search(text):
            more = names.plus(labels, clause.label)
            for added in clause.texts:
                yield Draft(f"{body}, {added}{end}", more, f"clause:+{clause.label}@{len(body)}")


def disclaimer_versions(
    text: str, labels: Sequence[str], clauses: Clauses, language: Language, names: LabelNames
) -> Iterator[Draft]:
    """The sentence with a formula of equal treatment, or without it. No label changes."""
    if found := clauses.disclaimer.search(text):
        rest = text[: found.start()] + text[found.end() :]
        if len(rest.split()) >= _FEWEST_WORDS_LEFT and not clauses.disclaimer.search(rest):
            yield Draft(rest, tuple(labels), f"disclaimer:-@{found.start()}")
    elif clauses.fit(text, labels, names) and not _mentions(text, "refuse", language):
        body, end = _body(text)
        for added in clauses.disclaimers:
            yield Draft(f"{body} {added}{end}", tuple(labels), f"disclaimer:+@{len(body)}")


def _body(text: str) -> tuple[str, str]:
    """The sentence and its final marks."""
    body = text.rstrip(" .!")
    return body, text[len(body) :]


def _without(
    text: str,
    labels: Sequence[str],
    clause: Clause,
    clauses: Clauses,
    language: Language,
    names: LabelNames,
) -> Iterator[Draft]:
    """Takes out the one part between commas that carries the label, when it carries no more."""
    body, end = _body(text)
    parts = list(_PART.finditer(body))
    carrying = [i for i, part in enumerate(parts) if clause.cue.search(part.group())]
    if len(carrying) != 1 or carrying[0] == 0 or ";" in text:
        return
    index = carrying[0]
    part = parts[index].group()
    after = parts[index + 1].group().split() if index + 1 < len(parts) else []
    joined = language.classes["conjunctions"] | language.classes["relatives"]
    if len(part.split()) > clauses.longest or part.split()[0].lower() in joined or ":" in part:
        return
    if (after and after[0].lower() in joined) or _may_say_more(part, labels, language, names):
        return
    comma = not after or not _governs(after[0], language)
    tail = body[parts[index].end() :]
    rest = body[: parts[index].start() - 1] + (tail if comma else tail.removeprefix(","))
    if len(rest.split()) >= _FEWEST_WORDS_LEFT:
        operation = f"clause:-{clause.label}@{parts[index].start() - 1}"
        yield Draft(rest + end, names.without(labels, clause.label), operation)


def _governs(word: str, language: Language) -> bool:
    reading = language.determiners.get(word.lower())
    return word.lower() in language.classes["prepositions"] or (
        reading is not None and reading.entry.role == "preposition"
    )


def _may_say_more(part: str, labels: Sequence[str], language: Language, names: LabelNames) -> bool:
    """Whether the part may also carry another label: a person, or an adjective with a gender."""
    if names.sought not in labels and names.others not in labels:
        return False
    words = _words(part)
    described = any(
        reading.entry.role != "thing"
        for reading in map(language.qualities.get, words)
        if reading is not None
    )
    return (
        described
        or _mentions(part, "refuse", language)
        or any(word in language.persons for word in words)
    )


def _mentions(text: str, name: str, language: Language) -> bool:
    return not language.classes[name].isdisjoint(_words(text))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
