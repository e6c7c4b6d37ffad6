"""A campaign's language as data: words, their forms, and how forms are joined.

Nothing here knows a particular language; everything is read from the campaign's
`counterfactual` folder. A cell is gender and number: ms, mp, fs, fp.
"""

import csv
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biasloop.errors import CampaignError
from biasloop.plugins.language.cache import cached_by_word
from biasloop.plugins.language.cues import NO_MATCH, Cues, read_cues

Cell = str
"""ms, mp, fs or fp."""

CELLS: tuple[Cell, ...] = ("ms", "mp", "fs", "fp")
_SHAPES = (
    "verb_shapes",
    "speakers",
    "suspicious",
    "adjectival",
    "nominal",
    "shared",
    "substantive",
    "unread",
    "idioms",
    "agents",
    "foreign_agents",
    "both",
)
"""Keys of words.toml that hold a pattern; the others hold words."""
_NEWER_SHAPES = ("clause_ends",)
"""More such keys, which models that were saved earlier do not have: there, nothing matches."""
_NEWER_CLASSES = (
    "only_people",
    "traits",
    "company",
    "groups",
    "owned",
    "to_come",
    "quantity",
    "you",
    "about",
    "on_behalf",
    "firms",
    "as_whom",
    "pronouns",
    "pronouns_article",
    "pronouns_preposition",
)
"""Classes of words that models that were saved earlier do not have: there, they are empty."""
COLUMNS = ("masculine", "masculine_plural", "feminine", "feminine_plural")


@dataclass(frozen=True, slots=True)
class Entry:
    """A word with its forms by cell.

    `kind` is person, quality or determiner. `role` of a person is "sought", "other" or
    "any"; of a quality it is "person", "either" or "thing": what the quality can describe.
    `onsets` (determiners only) gives the forms of each cell by the onset of the next word;
    `signs` gives its forms by style of an open ending and number.
    """

    kind: str
    forms: Mapping[Cell, str]
    role: str = ""
    neutral: Mapping[str, str] = field(default_factory=dict)
    onsets: Mapping[Cell, Mapping[str, str]] = field(default_factory=dict)
    signs: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    indefinite: bool = False

    def epicene(self, number: str) -> bool:
        """Whether both genders share the form of this number ("s" or "p")."""
        return self.forms.get("m" + number) == self.forms.get("f" + number)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a word: an entry, and the cells (gender and number) of this form."""

    entry: Entry
    cells: frozenset[Cell]


@dataclass(frozen=True, slots=True)
class Trade:
    """Occupations that are described in the same words, and the words that suit all of them."""

    occupations: Sequence[Entry]
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Repair:
    """How a fault of form is corrected: in a text in which `sign` occurs, by all `rules`, each a
    pattern and its replacement."""

    sign: re.Pattern[str]
    rules: Sequence[tuple[re.Pattern[str], str]]


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """All words of a campaign's language, by lower-case form. Languages are compared by identity,
    so that what is found out about a word can be cached by the word and its language.

    `common` are the occupations that fit a sentence without a word of any trade.
    """

    persons: Mapping[str, Reading]
    qualities: Mapping[str, Reading]
    determiners: Mapping[str, Reading]
    things: Mapping[str, frozenset[Cell]]
    occupations: Sequence[Entry]
    common: Sequence[Entry]
    trades: Sequence[Trade]
    classes: Mapping[str, frozenset[str]]
    shapes: Mapping[str, re.Pattern[str]]
    onset: Mapping[str, re.Pattern[str]]
    guesses: Sequence[tuple[str, frozenset[Cell]]]
    pairs: Sequence[tuple[str, str, str]]
    rests: frozenset[str]
    joining: Mapping[str, str]
    neutral: Mapping[str, str]
    open_signs: Mapping[str, str]
    repairs: Sequence[Repair]
    cues: Cues

    def guess(self, word: str) -> frozenset[Cell]:
        """The cells that an unknown word can have, by its ending."""
        return _guess(word, self)

    def onset_of(self, word: str) -> str:
        """The kind of sound a word begins with; "other" when no pattern matches."""
        return next((name for name, pattern in self.onset.items() if pattern.match(word)), "other")


@cached_by_word
def _guess(word: str, language: Language) -> frozenset[Cell]:
    return next(cells for ending, cells in language.guesses if word.endswith(ending))


def read_language(folder: Path) -> Language | None:
    """The language in a campaign's `counterfactual` folder; None without that folder.

    Raises CampaignError when a file is missing or wrong.
    """
    if not folder.is_dir():
        return None
    try:
        return _read(folder)
    except (OSError, ValueError, KeyError, TypeError, StopIteration, re.error) as error:
        raise CampaignError(
            f"{folder}: the language data cannot be read ({error!r}); the folder needs "
            "agreement.toml, words.toml, qualities.toml, trades.toml, occupations.csv, persons.csv"
        ) from error


def _read(folder: Path) -> Language:
    agreement, words, qualities, trades = (
        tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        for name in ("agreement", "words", "qualities", "trades")
    )
    occupations = [_person(row) for row in _rows(folder / "occupations.csv")]
    persons = [_person(row) for row in _rows(folder / "persons.csv")]
    endings = agreement["endings"]
    described = [
        _quality(word, role, endings["qualities"])
        for role in ("person", "either", "thing")
        for word in qualities[role].split()
    ]
    guesses = {ending: frozenset(cells.split()) for ending, cells in agreement["guess"].items()}
    return Language(
        persons=_index([*persons, *(entry for entry in occupations if _is_one_word(entry))]),
        qualities=_index(described),
        determiners=_index(map(_determiner, agreement["determiner"])),
        things=_things(words, endings),
        occupations=occupations,
        common=_occupations_by_name(trades["common"], occupations),
        trades=[
            Trade(
                _occupations_by_name(table["occupations"], occupations),
                frozenset(table["words"].split()),
            )
            for table in trades["trade"]
        ],
        classes=dict.fromkeys(_NEWER_CLASSES, frozenset())
        | {
            name: frozenset(text.split())
            for name, text in words.items()
            if name not in _SHAPES + _NEWER_SHAPES
        },
        shapes={
            **{name: re.compile(words[name]) for name in _SHAPES},
            **{name: re.compile(words.get(name, NO_MATCH.pattern)) for name in _NEWER_SHAPES},
        },
        onset={name: re.compile(text) for name, text in agreement["onset"].items()},
        guesses=sorted(guesses.items(), key=lambda pair: -len(pair[0])),
        pairs=[(first, second, rest) for first, second, rest in agreement["pairs"]],
        rests=frozenset(agreement["rests"].split()),
        joining=agreement["joining"],
        neutral=agreement["neutral"],
        open_signs=agreement["open"],
        repairs=[_repair(table) for table in agreement.get("repair", [])],
        cues=read_cues(folder / "cues.toml"),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _person(row: Mapping[str, str]) -> Entry:
    return Entry(
        kind="person",
        forms={cell: row[name] for cell, name in zip(CELLS, COLUMNS, strict=True) if row[name]},
        role=row.get("role") or "any",
        neutral={"s": row.get("neutral") or "", "p": row.get("neutral_plural") or ""},
    )


def _occupations_by_name(words: str, occupations: Iterable[Entry]) -> list[Entry]:
    """The occupations that these words name, by their masculine form."""
    by_name = {entry.forms["ms"]: entry for entry in occupations}
    return [by_name[word] for word in words.split()]


def _is_one_word(entry: Entry) -> bool:
    return not any(" " in form for form in entry.forms.values())


def _quality(word: str, role: str, endings: Iterable[Sequence[str]]) -> Entry:
    longest = sorted(endings, key=lambda ending: -len(ending[0]))
    endings_of_word = next(ending for ending in longest if word.endswith(ending[0]))
    stem = word.removesuffix(endings_of_word[0])
    return Entry(
        "quality",
        {cell: stem + end for cell, end in zip(CELLS, endings_of_word, strict=True)},
        role,
    )


def _determiner(table: Mapping[str, Any]) -> Entry:
    return Entry(
        kind="determiner",
        forms={cell: table[cell].get("other", "") for cell in CELLS if cell in table},
        onsets={cell: table[cell] for cell in CELLS if cell in table},
        role="preposition" if table.get("preposition") else "",
        signs={name: table[name] for name in ("schwa", "asterisk") if name in table},
        indefinite=table.get("indefinite", False),
    )


def _repair(table: Mapping[str, Any]) -> Repair:
    return Repair(
        re.compile(table["sign"]), [(re.compile(find), new) for find, new in table["rules"]]
    )


def _index(entries: Iterable[Entry]) -> dict[str, Reading]:
    """Readings by form; where entries share a form, the first one wins."""
    readings: dict[str, Reading] = {}
    for entry in entries:
        cells: dict[str, set[Cell]] = defaultdict(set)
        for cell, form in entry.forms.items():
            for shape in {form, *entry.onsets.get(cell, {}).values()}:
                cells[shape].add(cell)
        for form, form_cells in cells.items():
            readings.setdefault(form, Reading(entry, frozenset(form_cells)))
    return readings


def _things(words: Mapping[str, str], endings: Mapping[str, Any]) -> dict[str, frozenset[Cell]]:
    cells_of: dict[str, set[Cell]] = defaultdict(set)
    for gender in ("m", "f"):
        for word in words[f"things_{gender}"].split():
            plurals = [
                word.removesuffix(end) + new
                for end, new in endings[f"things_{gender}"]
                if word.endswith(end)
            ]
            cells_of[word].add(f"{gender}s")
            cells_of[plurals[0] if plurals else word].add(f"{gender}p")
        for word in words.get(f"fixed_{gender}", "").split():
            cells_of[word] |= {f"{gender}s", f"{gender}p"}
    return {word: frozenset(cells) for word, cells in cells_of.items()}
