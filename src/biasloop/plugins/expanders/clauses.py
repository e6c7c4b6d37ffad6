"""A request or a formula put into a sentence, or taken out of it."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biasloop.errors import CampaignError
from biasloop.plugins.expanders.draft import Draft
from biasloop.plugins.expanders.labels import LabelNames
from biasloop.plugins.expanders.seeds import Span
from biasloop.plugins.language.data import Language

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

    seeks: re.Pattern[str]
    lists: re.Pattern[str]
    bars: re.Pattern[str]
    longest: int
    remark: re.Pattern[str]
    concludes: re.Pattern[str]
    fewest: int
    most: int
    clauses: tuple[Clause, ...]
    disclaimers: tuple[str, ...]
    disclaimer: re.Pattern[str]

    def fit(self, text: str, labels: Sequence[str], names: LabelNames) -> bool:
        """Whether something can stand at the end of this text: it asks nothing personal yet, and
        is neither too short nor too long."""
        body = _body(text)[0]
        return (
            set(labels) <= {names.none, names.sought}
            and self.fewest <= len(body.split()) <= self.most
            and not self.bars.search(body)
        )

    def carried(self, rest: str, part: str, gone: str, kept: Sequence[str]) -> bool:
        """Whether `rest`, left by `part`, may still ask for what `part` did: words of `gone`, its
        label, or, where `part` concludes from the rest, words of any label that is not kept."""
        lost = {one.label for one in self.clauses} - set(kept)
        doubtful = lost if self.concludes.match(part.strip()) else {gone}
        return any(one.label in doubtful and one.cue.search(rest) for one in self.clauses)


def read_clauses(path: Path) -> Clauses:
    """Reads clauses.toml. Raises CampaignError when it is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Clauses(
            seeks=re.compile(table["seeks"]),
            lists=re.compile(table["lists"]),
            bars=re.compile(table["bars"]),
            longest=table["longest"],
            remark=re.compile(table["remark"]),
            concludes=re.compile(table["concludes"]),
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
    text: str, labels: Sequence[str], clauses: Clauses, names: LabelNames
) -> Iterator[Draft]:
    """The sentence, a search for somebody or a list of requests, with one more at its end."""
    asks = clauses.seeks.search(text) or clauses.lists.match(text)
    if not asks or not clauses.fit(text, labels, names):
        return
    body, end = _body(text)
    for clause in clauses.clauses:
        if clause.label not in labels and not clause.cue.search(text):
            more = names.plus(labels, clause.label)
            for added in clause.texts:
                yield Draft(f"{body}, {added}{end}", more, f"clause:+{clause.label}@{len(body)}")


def clause_removals(
    text: str,
    labels: Sequence[str],
    spans: Sequence[Span],
    clauses: Clauses,
    language: Language,
    names: LabelNames,
) -> Iterator[Draft]:
    """The sentence without a part between commas that carries a label, all of it, and no other.

    `spans` are the words that carry the labels, as the author of the sentence marked them; a
    label without words of its own may be the part's, so nothing is taken out then.
    """
    body, end = _body(text)
    parts = list(_PART.finditer(body))
    for part in parts[1:]:
        inside = {s.label for s in spans if part.start() <= s.start and s.end <= part.end()}
        outside = {s.label for s in spans if s.end <= part.start() or part.end() <= s.start}
        if len(inside) != 1 or inside & outside or inside | outside != set(labels):
            continue
        if _removable(part.group(), body[: part.start() - 1], clauses, language):
            before, tail = body[: part.start() - 1], body[part.end() :]
            if _governs(tail.removeprefix(",").split()[:1], language):
                tail = tail.removeprefix(",")
            gone = next(iter(inside))
            kept = names.without(labels, gone)
            if not clauses.carried(before + tail, part.group(), gone, kept):
                yield Draft(before + tail + end, kept, f"clause:-{gone}@{len(before)}")


def _removable(part: str, before: str, clauses: Clauses, language: Language) -> bool:
    """Whether the sentence stands without this part: a short remark after a whole phrase."""
    words = part.split()
    last = _words(before)[-1:]
    loose = language.classes["conjunctions"] | language.classes["relatives"]
    return (
        len(words) <= clauses.longest
        and clauses.remark.match(part.strip()) is not None
        and len(before.split()) >= _FEWEST_WORDS_LEFT
        and not set(last) & loose
        and not any(mark in part for mark in ":;")
    )


def disclaimer_versions(
    text: str, labels: Sequence[str], clauses: Clauses, language: Language, names: LabelNames
) -> Iterator[Draft]:
    """The sentence with a formula of equal treatment, or without it. No label changes."""
    if found := clauses.disclaimer.search(text):
        rest = text[: found.start()] + text[found.end() :]
        if len(rest.split()) >= _FEWEST_WORDS_LEFT and not clauses.disclaimer.search(rest):
            yield Draft(rest, tuple(labels), f"disclaimer:-@{found.start()}")
    elif (
        clauses.seeks.search(text)
        and clauses.fit(text, labels, names)
        and not _mentions(text, "refuse", language)
    ):
        body, end = _body(text)
        for added in clauses.disclaimers:
            yield Draft(f"{body} {added}{end}", tuple(labels), f"disclaimer:+@{len(body)}")


def _body(text: str) -> tuple[str, str]:
    """The sentence and its final marks."""
    body = text.rstrip(" .!")
    return body, text[len(body) :]


def _governs(words: Sequence[str], language: Language) -> bool:
    """Whether the first of these words is a preposition, alone or with an article."""
    if not words:
        return False
    word = re.split("(?<=['’])", words[0].lower())[0]
    reading = language.determiners.get(word.replace("’", "'"))
    return word in language.classes["prepositions"] or (
        reading is not None and reading.entry.role == "preposition"
    )


def _mentions(text: str, name: str, language: Language) -> bool:
    return not language.classes[name].isdisjoint(_words(text))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
