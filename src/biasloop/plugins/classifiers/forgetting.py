"""Takes words out of saved models that no text has any more.

The vocabulary of a linear model quotes the texts that it learned from. In place of what is taken
out stands a term that no text contains, so that the verdicts on all other texts stay the same.
"""

import json
import re
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

from biasloop.domain.text import in_one_line
from biasloop.plugins.classifiers.state import OLD_SUFFIX, read_state, readable, write_state
from biasloop.plugins.classifiers.terms.ngrams import char_ngrams, lower_case, without_emphasis
from biasloop.plugins.classifiers.terms.term_encoder import FILE, LANGUAGE, OLD_FORMAT
from biasloop.plugins.language.data import read_language
from biasloop.store.atomic import write_whole

FORGOTTEN = "\0forgotten "
"""How a term begins that was taken out."""
FINE_TUNED = "model.json"
"""The file of a fine-tuned model, which lists the hashes of its other files."""
CLASSES = frozenset({"thing", "number"})
"""Classes of words in grammar terms, next to those that the language data name."""

_RUN = re.compile(r"\w+")


class WordsInUse:
    """The words, and the tokens between white space, of the texts that there are."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._words: set[str] = set()
        self._tokens: set[str] = set()
        for text in texts:
            lowered = lower_case(without_emphasis(in_one_line(text)))
            self._words.update(_RUN.findall(lowered))
            self._tokens.update(lowered.split())

    def include(self, phrase: str) -> bool:
        """Whether each word of the phrase is in use."""
        return self._words.issuperset(_RUN.findall(phrase))

    def char_ngrams(self, shortest: int, longest: int) -> set[str]:
        """Every character n-gram of a token in use."""
        return {gram for token in self._tokens for gram in char_ngrams(token, shortest, longest)}


def forget_words(folder: Path, words: WordsInUse) -> int:
    """Takes all other words out of the linear part of the model in `folder`; returns the number of
    terms taken out. Repeatable. Raises ClassifierError when the model cannot be read."""
    old = {path.with_name(FILE) for path in folder.rglob(Path(FILE).stem + OLD_SUFFIX)}
    files = sorted({*folder.rglob(FILE), *old})
    forgotten = 0
    for path in files:
        with readable(path):
            state = read_state(path, OLD_FORMAT)
            vocabularies, count = _without_unused(state, _classes(path.parent / LANGUAGE), words)
        if count:
            write_state(path, state | {"vocabularies": vocabularies})
        path.with_suffix(OLD_SUFFIX).unlink(
            missing_ok=True
        )  # it has been written in the new format
        forgotten += count
    if (folder / FINE_TUNED).exists():
        _record_hashes(folder, files)
    return forgotten


def _classes(language: Path) -> Set[str]:
    known = read_language(language)
    return CLASSES | known.classes.keys() if known else CLASSES


def _without_unused(
    state: dict[str, Any], classes: Set[str], words: WordsInUse
) -> tuple[dict[str, str], int]:
    """The vocabularies to save, and how many of their terms were taken out."""
    grams = words.char_ngrams(state["shortest"], state["longest"])
    vocabularies, count = {}, 0
    for block, joined in state["vocabularies"].items():
        terms = joined.split("\n") if joined else []
        for column, term in enumerate(terms):
            if term.startswith(FORGOTTEN):
                continue
            quoted = quoted_words(block, term, classes)
            if not (term in grams if block == "chars" else words.include(quoted)):
                terms[column] = f"{FORGOTTEN}{column}"
                count += 1
        vocabularies[block] = "\n".join(terms)
    return vocabularies, count


def quoted_words(block: str, term: str, classes: Set[str]) -> str:
    """What a term of a block of the vocabulary quotes from a text; "" if nothing."""
    match block:
        case "grammar":
            parts = term.split("|")
            return " ".join(part for part in parts if " " not in part and part not in classes)
        case "cues":
            return term.partition(": ")[2]
        case "reader":
            return term.rpartition(" of ")[2] if " of " in term else ""
        case _:
            return term


def _record_hashes(folder: Path, files: Iterable[Path]) -> None:
    """Records the hashes of these files of a fine-tuned model, whose loading verifies them."""
    from biasloop.plugins.classifiers.deep.pretrained import file_hash

    with readable(folder / FINE_TUNED):
        state = json.loads((folder / FINE_TUNED).read_text("utf-8"))
        hashes = {path.relative_to(folder).as_posix(): file_hash(path) for path in files}
        if hashes.items() - state["files"].items():
            state["files"] |= hashes
            write_whole(folder / FINE_TUNED, json.dumps(state, indent=1))
