"""Adds a request or an equal-treatment formula to a sentence, or removes one."""

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
_MIN_WORDS_LEFT = 3


@dataclass(frozen=True, slots=True)
class Clause:
    """Texts that ask for something, and the label they add; `cue` matches such requests."""

    label: str
    cue: re.Pattern[str]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clauses:
    """All clauses of a campaign, and the patterns of the sentences that they fit.

    `seeks`: the sentence seeks somebody. `lists`: it lists requests. `bars`: nothing can be added.
    `longest`: most words of a part that can be removed, which must begin like `remark`.
    `concludes`: a remark that follows from the text before it.
    """

    seeks: re.Pattern[str]
    lists: re.Pattern[str]
    bars: re.Pattern[str]
    longest: int
    remark: re.Pattern[str]
    concludes: re.Pattern[str]
    min_words: int
    max_words: int
    clauses: tuple[Clause, ...]
    disclaimers: tuple[str, ...]
    disclaimer: re.Pattern[str]

    def fit(self, text: str, labels: Sequence[str], names: LabelNames) -> bool:
        """Whether a clause can be added to this text: it has no other label yet, and is neither
        too short nor too long."""
        body = _body(text)[0]
        return (
            set(labels) <= {names.none, names.sought}
            and self.min_words <= len(body.split()) <= self.max_words
            and not self.bars.search(body)
        )

    def still_asks(self, rest: str, part: str, removed: str, labels: Sequence[str]) -> bool:
        """Whether `rest`, the text without `part`, may still ask for what `part` did.

        It may if it has cues of `removed`, the label of `part`; where `part` concludes from the
        rest, cues of any label that is not in `labels`.
        """
        others = {clause.label for clause in self.clauses} - set(labels)
        checked = others if self.concludes.match(part.strip()) else {removed}
        return any(clause.label in checked and clause.cue.search(rest) for clause in self.clauses)


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
            min_words=table["fewest_words"],
            max_words=table["most_words"],
            clauses=tuple(
                Clause(clause["label"], re.compile(clause["cue"]), tuple(clause["texts"]))
                for clause in table["clause"]
            ),
            disclaimers=tuple(table["disclaimer"]["texts"]),
            disclaimer=re.compile(table["disclaimer"]["found"]),
        )
    except (OSError, ValueError, KeyError, TypeError, re.error) as error:
        raise CampaignError(
            f"{path}: the clauses cannot be read ({error!r}); correct the file"
        ) from error


def clause_versions(
    text: str, labels: Sequence[str], clauses: Clauses, names: LabelNames
) -> Iterator[Draft]:
    """The sentence, which seeks somebody or lists requests, with one more request at its end."""
    asks = clauses.seeks.search(text) or clauses.lists.match(text)
    if not asks or not clauses.fit(text, labels, names):
        return
    body, end = _body(text)
    for clause in clauses.clauses:
        if clause.label not in labels and not clause.cue.search(text):
            new_labels = names.plus(labels, clause.label)
            for added in clause.texts:
                yield Draft(
                    f"{body}, {added}{end}", new_labels, f"clause:+{clause.label}@{len(body)}"
                )


def clause_removals(
    text: str,
    labels: Sequence[str],
    spans: Sequence[Span],
    clauses: Clauses,
    language: Language,
    names: LabelNames,
) -> Iterator[Draft]:
    """The sentence without a part between commas that holds one label, and all words of that label.

    `spans` are the words that carry the labels, as the author of the sentence marked them. If a
    label has no words, the part may carry it, so nothing is removed then.
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
            if _begins_with_preposition(tail.removeprefix(",").split()[:1], language):
                tail = tail.removeprefix(",")
            removed = next(iter(inside))
            remaining = names.without(labels, removed)
            if not clauses.still_asks(before + tail, part.group(), removed, remaining):
                yield Draft(before + tail + end, remaining, f"clause:-{removed}@{len(before)}")


def _removable(part: str, before: str, clauses: Clauses, language: Language) -> bool:
    """Whether the sentence is complete without this part: a short remark after a whole phrase."""
    words = part.split()
    last = _words(before)[-1:]
    connectives = language.classes["conjunctions"] | language.classes["relatives"]
    return (
        len(words) <= clauses.longest
        and clauses.remark.match(part.strip()) is not None
        and len(before.split()) >= _MIN_WORDS_LEFT
        and not set(last) & connectives
        and not any(mark in part for mark in ":;")
    )


def disclaimer_versions(
    text: str, labels: Sequence[str], clauses: Clauses, language: Language, names: LabelNames
) -> Iterator[Draft]:
    """The sentence with an equal-treatment formula added or removed. No label changes."""
    if match := clauses.disclaimer.search(text):
        rest = text[: match.start()] + text[match.end() :]
        if len(rest.split()) >= _MIN_WORDS_LEFT and not clauses.disclaimer.search(rest):
            yield Draft(rest, tuple(labels), f"disclaimer:-@{match.start()}")
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


def _begins_with_preposition(words: Sequence[str], language: Language) -> bool:
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
