"""What our own pages say, in the campaign's language; in English where there is no such file."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "words"
ENGLISH = "en"


def language_file(folder: Path, language: str, suffix: str) -> Path:
    """The file of a language in a folder; the English one where there is none."""
    path = folder / f"{language}{suffix}"
    return path if path in folder.glob(f"*{suffix}") else folder / f"{ENGLISH}{suffix}"


@cache
def words_of(language: str) -> Mapping[str, str]:
    """The sentences of a language by their names; some have places such as {minutes}."""
    return tomllib.loads(language_file(FOLDER, language, ".toml").read_text("utf-8"))
