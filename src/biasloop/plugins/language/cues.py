"""Cues: beginnings of words that show what a sentence is about, and operators such as negation."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

NEAR = 30
"""Characters before or after a cue in which an operator counts as near."""

Patterns = Mapping[str, re.Pattern[str]]


@dataclass(frozen=True, slots=True)
class Cues:
    """A pattern for each label, and for each operator (whether a cue is excluded, preferred,
    required …)."""

    labels: Patterns = field(default_factory=dict)
    operators: Patterns = field(default_factory=dict)


def read_cues(path: Path) -> Cues:
    """Cues from a TOML file with the tables `label` and `operator`; empty if there is no file.

    A value is a list of alternatives, separated by white space: beginnings of words, as regular
    expressions in lower case. Raises KeyError, ValueError or re.error when the file is wrong.
    """
    if not path.exists():
        return Cues()
    tables = tomllib.loads(path.read_text("utf-8"))
    return Cues(_patterns(tables["label"]), _patterns(tables["operator"]))


def _patterns(table: Mapping[str, str]) -> Patterns:
    return {
        name: re.compile(rf"(?<!\w)(?:{'|'.join(words.split())})") for name, words in table.items()
    }


def cue_terms(text: str, cues: Cues) -> Iterator[str]:
    """Terms of a text: the cues of each label, alone, with the operators of the sentence, and with
    the operators near the cue."""
    text = " ".join(text.lower().replace("’", "'").split())
    operators = [name for name, pattern in cues.operators.items() if pattern.search(text)]
    yield from (f"operator {name}" for name in operators)
    for label, pattern in cues.labels.items():
        matches = list(pattern.finditer(text))
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
                if cues.operators[name].search(before):
                    yield f"cue {label} near {name}"
                if cues.operators[name].search(after):
                    yield f"cue {label} before {name}"
