"""The words of a language by which ads are cut: one file per language in `languages/`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "languages"


@dataclass(frozen=True, slots=True)
class Wording:
    """The keys of such a file, all empty for a language without one; `languages/it.toml` says what
    each is."""

    abbreviations: frozenset[str] = frozenset()
    goes_on_after: frozenset[str] = frozenset()
    goes_on_after_verb: frozenset[str] = frozenset()
    goes_on_with: frozenset[str] = frozenset()
    headings: frozenset[str] = frozenset()
    heading_lines: frozenset[str] = frozenset()
    contact_before: frozenset[str] = frozenset()
    contact_titles: frozenset[str] = frozenset()


def known_languages() -> list[str]:
    """The languages that have a file, sorted."""
    return sorted(_all())


def wording_of(language: str) -> Wording:
    """The words of a language, by its first BCP 47 subtag ("it")."""
    return _all().get(language, Wording())


@cache
def _all() -> dict[str, Wording]:
    return {path.stem: _read(path) for path in _FOLDER.glob("*.toml")}


def _read(path: Path) -> Wording:
    entries = tomllib.loads(path.read_text("utf-8"))
    return Wording(
        **{
            key: frozenset(value.split() if isinstance(value, str) else value)
            for key, value in entries.items()
        }
    )
