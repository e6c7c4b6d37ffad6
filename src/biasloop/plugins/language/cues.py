"""Cues: beginnings of words that show what a sentence is about, and operators such as negation."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from biasloop.plugins.language.cache import cached_by_word

NEAR = 30
"""Characters before or after a cue in which an operator counts as near."""

Patterns = Mapping[str, re.Pattern[str]]

_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"(\w+)(?:(\\[s.])(?![?*{])|(?![?*{]))")
"""The letters that an alternative begins with; the second group is a space or full stop after."""
_WITHIN_A_WORD = re.compile(r"(?:(?:\w|\[\w+\]|\\w)[?*+]?|\\b)+")
"""An alternative that never matches beyond the word at which it begins."""
NO_MATCH = re.compile("(?!)")


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """A pattern for each label, and for each operator (whether a cue is excluded, preferred,
    required …).

    To save time, patterns are tried only where they can match. Most alternatives begin with
    letters: for each pattern, `beginnings` holds one that matches the words at which those can
    match. `others` matches wherever any other alternative of any pattern does.

    Cues are compared by identity, so that what is found out about a word can be cached by the word
    and its cues.
    """

    labels: Patterns = field(default_factory=dict)
    operators: Patterns = field(default_factory=dict)
    beginnings: Mapping[re.Pattern[str], re.Pattern[str]] = field(default_factory=dict)
    others: re.Pattern[str] = NO_MATCH

    def matches(self, text: str) -> dict[re.Pattern[str], list[re.Match[str]]]:
        """The matches, as `finditer` finds them, of each pattern that has any."""
        places: dict[re.Pattern[str], set[int]] = defaultdict(set)
        for word in _WORD.finditer(text):
            for pattern in _begun_by(word.group(), self):
                places[pattern].add(word.start())
        for other in self.others.finditer(text):
            for pattern in self.beginnings:
                places[pattern].add(other.start())
        found = {p: list(_matches_at(p, text, sorted(starts))) for p, starts in places.items()}
        return {pattern: matches for pattern, matches in found.items() if matches}


@cached_by_word
def _begun_by(word: str, cues: Cues) -> tuple[re.Pattern[str], ...]:
    return tuple(p for p, beginnings in cues.beginnings.items() if beginnings.match(word))


def _matches_at(
    pattern: re.Pattern[str], text: str, places: Iterable[int]
) -> Iterator[re.Match[str]]:
    """The matches that begin at these places, in order; none begins within the one before."""
    end = 0
    for place in places:
        if place >= end and (match := pattern.match(text, place)):
            yield match
            end = match.end()


def read_cues(path: Path) -> Cues:
    """Cues from a TOML file with the tables `label` and `operator`; empty if there is no file.

    A value is a list of alternatives, separated by white space: beginnings of words, as regular
    expressions in lower case. Raises KeyError, ValueError or re.error when the file is wrong.
    """
    if not path.exists():
        return Cues()
    tables = tomllib.loads(path.read_text("utf-8"))
    labels, operators = (
        {name: words.split() or [""] for name, words in tables[kind].items()}
        for kind in ("label", "operator")
    )
    lists = [*labels.values(), *operators.values()]
    others = [word for words in lists for word in words if not _beginning(word)]
    return Cues(
        {name: _pattern(words) for name, words in labels.items()},
        {name: _pattern(words) for name, words in operators.items()},
        {_pattern(words): _pattern([b for b in map(_beginning, words) if b]) for words in lists},
        re.compile(f"(?={_pattern(others).pattern})"),  # a match of no length hides no other
    )


def _pattern(alternatives: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})") if alternatives else NO_MATCH


def _beginning(alternative: str) -> str:
    """A pattern that matches a single word if the alternative can match there, whatever follows:
    the alternative, if it stays within a word; else the letters that it begins with, up to the end
    of the word if a space or full stop comes next. "" if it can also begin in another way."""
    if _WITHIN_A_WORD.fullmatch(alternative):
        return alternative
    letters = _LETTERS.match(alternative)
    if letters is None or "|" in alternative:
        return ""
    return letters[1] + (r"\b" if letters[2] else "")


def cue_terms(text: str, cues: Cues) -> Iterator[str]:
    """Terms of a text: the cues of each label, alone, with the operators of the sentence, and with
    the operators near the cue."""
    text = " ".join(text.lower().replace("’", "'").split())
    found = cues.matches(text)
    operators = [name for name, pattern in cues.operators.items() if pattern in found]
    yield from (f"operator {name}" for name in operators)
    for label, pattern in cues.labels.items():
        matches = found.get(pattern)
        if not matches:
            continue
        yield f"cue {label}"
        if len(matches) > 1:
            yield f"cue {label} again"
        yield from (f"cue {label} with {name}" for name in operators)
        for match in matches:
            yield f"cue {label}: {match.group()}"
            before = text[max(0, match.start() - NEAR) : match.start()]
            after = text[match.end() : match.end() + NEAR]
            for name in operators:
                if _occurs(before, cues.operators[name]):
                    yield f"cue {label} near {name}"
                if _occurs(after, cues.operators[name]):
                    yield f"cue {label} before {name}"


@cached_by_word
def _occurs(text: str, pattern: re.Pattern[str]) -> bool:
    return pattern.search(text) is not None
