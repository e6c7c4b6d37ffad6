"""Texts to n-gram counts, and counts to TF-IDF rows.

Counting is slow and never changes for a text; weighting is fast and depends on the training rows.
They are apart so that every fold is weighted by its own training rows alone.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from biasloop.classifiers.grammar import grammar_terms, reader_terms
from biasloop.language.cues import cue_terms
from biasloop.language.data import Language

Blocks = tuple[sparse.csr_matrix, ...]
"""Counts of word n-grams, of character n-grams and, where there is a language, of grammar terms,
cue terms and reader terms; each of shape (n, its vocabulary)."""

Vocabulary = dict[str, int]

SHARES = (1.0, 1.0, 0.7, 0.7, 0.4)
"""Length of each block in a row; chosen out of fold on the Italian seeds. What the reader found
has a block of its own as well, so that the words of a long sentence do not drown it."""

# "impiegato/a", "impiegato(a)", "tutt*", "un'": ending, sign and article carry the gender.
_WORD = re.compile(r"(?<=\w)[/(-][\w*@]+|[\w*@]+'?")
_ALIKE = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "–": "-", "−": "-", "∗": "*"})


# Markdown emphasis around words; an asterisk that follows a letter is an open ending ("tutt*").
_EMPHASIS = re.compile(r"(?<!\w)(\*\*|__|\*|_)(?=\w)(.+?)(?<=\S)\1(?!\w)")


def unmarked(text: str) -> str:
    """The text without Markdown emphasis, which would hide that a word stands beside another."""
    return _EMPHASIS.sub(r"\2", text)


def plain(text: str) -> str:
    """The text in lower case, with one kind of apostrophe and dash."""
    return text.lower().translate(_ALIKE)


def word_ngrams(text: str) -> list[str]:
    """Words and pairs of neighbouring words."""
    words = _WORD.findall(text)
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def char_ngrams(token: str, shortest: int, longest: int) -> list[str]:
    """Character n-grams of a token between blanks, so that its first and last letters show."""
    padded = f" {token} "
    return [
        padded[i : i + size]
        for size in range(shortest, longest + 1)
        for i in range(len(padded) - size + 1)
    ]


@dataclass(slots=True)
class Terms:
    """Counts the terms that it saw when it was fitted; others are ignored.

    `vocabularies` holds the column of each term, by the name of its block.
    """

    shortest: int
    longest: int
    language: Language | None = None
    vocabularies: dict[str, Vocabulary] = field(default_factory=dict)

    def fit(self, texts: Sequence[str]) -> Blocks:
        """Learns the vocabularies of `texts`; returns their counts."""
        self.vocabularies = {}
        return self._count(texts, grow=True)

    def count(self, texts: Sequence[str]) -> Blocks:
        """Counts of the known terms."""
        return self._count(texts, grow=False)

    def _count(self, texts: Sequence[str], *, grow: bool) -> Blocks:
        texts = [unmarked(text) for text in texts]
        lowered = [plain(text) for text in texts]
        words = self._block("words", map(word_ngrams, lowered), grow)
        # Most tokens come again and again: cut each into characters once, then multiply.
        tokens: Vocabulary = {}
        tokens_of = _counts((text.split() for text in lowered), tokens, grow=True)
        grams = (char_ngrams(token, self.shortest, self.longest) for token in tokens)
        blocks = (words, tokens_of @ self._block("chars", grams, grow))
        if self.language is None:
            return blocks
        language = self.language
        return (
            *blocks,
            self._block("grammar", (grammar_terms(text, language) for text in texts), grow),
            self._block("cues", (cue_terms(text, language.cues) for text in texts), grow),
            self._block("reader", (reader_terms(text, language) for text in texts), grow),
        )

    def _block(self, name: str, rows: Iterable[Iterable[str]], grow: bool) -> sparse.csr_matrix:
        return _counts(rows, self.vocabularies.setdefault(name, {}), grow=grow)


def _counts(
    rows: Iterable[Iterable[str]], vocabulary: Vocabulary, *, grow: bool
) -> sparse.csr_matrix:
    columns: list[int] = []
    ends = [0]
    for row in rows:
        if grow:
            columns += [vocabulary.setdefault(term, len(vocabulary)) for term in row]
        else:
            columns += [vocabulary[term] for term in row if term in vocabulary]
        ends.append(len(columns))
    ones = np.ones(len(columns), dtype=np.float32)
    matrix = sparse.csr_matrix((ones, columns, ends), shape=(len(ends) - 1, len(vocabulary)))
    matrix.sum_duplicates()
    return matrix


@dataclass(frozen=True, slots=True)
class Weighting:
    """TF-IDF with logarithmic counts; each block of a row has the length that SHARES gives it.

    `idf` holds one array per block; an n-gram that the fitted rows lack weighs 0.
    """

    idf: tuple[NDArray[np.float32], ...]

    @classmethod
    def fit(cls, blocks: Blocks, min_rows: int) -> "Weighting":
        """From counts; an n-gram must occur in at least `min_rows` (>= 1) of the rows."""
        return cls(tuple(_idf(block, min_rows) for block in blocks))

    def rows(self, blocks: Blocks) -> sparse.csr_matrix:
        """Feature rows, shape (n, all n-grams)."""
        weighted = [
            _weigh(block, idf) * share
            for block, idf, share in zip(blocks, self.idf, SHARES, strict=False)
        ]
        return sparse.hstack(weighted, format="csr", dtype=np.float32)


def _idf(block: sparse.csr_matrix, min_rows: int) -> NDArray[np.float32]:
    rows, terms = block.shape
    found = np.bincount(block.indices, minlength=terms)
    idf = np.log((1 + rows) / (1 + found)) + 1
    weights: NDArray[np.float32] = np.where(found >= min_rows, idf, 0).astype(np.float32)
    return weights


def _weigh(block: sparse.csr_matrix, idf: NDArray[np.float32]) -> sparse.csr_matrix:
    block = block.copy()
    block.data = (1 + np.log(block.data)) * idf[block.indices]
    length = np.sqrt(np.asarray(block.multiply(block).sum(axis=1)).ravel())
    scale = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    block.data *= np.repeat(scale, np.diff(block.indptr))
    return block
