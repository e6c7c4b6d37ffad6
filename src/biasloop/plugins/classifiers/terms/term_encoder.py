"""The encoder of the linear classifier: texts to the terms that stand in them."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from biasloop.plugins.classifiers.state import read_state, readable, write_state
from biasloop.plugins.classifiers.terms.grammar import grammar_terms
from biasloop.plugins.classifiers.terms.ngrams import char_ngrams, plain, unmarked, word_ngrams
from biasloop.plugins.classifiers.terms.reader import reader_terms
from biasloop.plugins.classifiers.terms.term_rows import TermRows, interleaved, joined
from biasloop.plugins.classifiers.terms.weighting import TermWeighting
from biasloop.plugins.language.cues import cue_terms
from biasloop.plugins.language.data import Language, read_language
from biasloop.ports import Checkpoint, no_checkpoint

FILE = "encoder.npz"
OLD_FORMAT = 1
IDS = 1
"""Version of the ids: another one makes the rows of every text again."""
LANGUAGE = "language"
"""The language data of an encoder, next to it: its terms are only right with them."""
BATCH = 4096
"""Texts between two checkpoints."""
ENOUGH_TEXTS = 2
"""Texts nobody labelled in which a term must stand to be known: one alone teaches nothing."""
DIMENSIONS = 256
COMMON = 0.02
"""Share of texts from which on a term counts as common."""

Vocabulary = dict[str, int]


class TermEncoder:
    """See ports.Encoder. Blocks: words, characters and, where there is a language, grammar, cues
    and what its reader finds.

    Frozen: a term it does not know is no term. `vocabularies` holds the column of each term
    within its block, `found` (d,) in how many of `rows` texts each stood when it was made.
    """

    def __init__(
        self,
        shortest: int,
        longest: int,
        vocabularies: dict[str, Vocabulary],
        found: NDArray[np.int64],
        rows: int,
        language: Path | None,
    ) -> None:
        self.shortest, self.longest = shortest, longest
        self.vocabularies = vocabularies
        self.found, self.rows = found, rows
        self.folder = language
        self.language: Language | None = read_language(language) if language else None
        self.id = self._hash()

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        unlabelled: Sequence[str],
        *,
        shortest: int,
        longest: int,
        language: Path | None,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> Self:
        """Knows every term of `texts`, and of `unlabelled` those in ENOUGH_TEXTS of all."""
        names = ["words", "chars", *(("grammar", "cues", "reader") if language else ())]
        empty = np.zeros(0, np.int64)
        made = cls(shortest, longest, {name: {} for name in names}, empty, 0, language)
        parts = [made._blocks(part, grow=True) for part in _batches(texts)]
        always = [len(made.vocabularies[name]) for name in names]
        for part in _batches(unlabelled):
            parts.append(made._blocks(part, grow=True))
            checkpoint()
        found = []
        for b, (name, known) in enumerate(zip(names, always, strict=True)):
            vocabulary = made.vocabularies[name]
            counts = sum(
                (np.bincount(part[b].indices, minlength=len(vocabulary)) for part in parts),
                np.zeros(len(vocabulary), np.int64),
            )
            kept = (counts >= ENOUGH_TEXTS) | (np.arange(len(vocabulary)) < known)
            terms = [term for term, keep in zip(vocabulary, kept, strict=True) if keep]
            made.vocabularies[name] = {term: i for i, term in enumerate(terms)}
            found.append(counts[kept])
        rows = len(texts) + len(unlabelled)
        return cls(shortest, longest, made.vocabularies, np.concatenate(found), rows, language)

    @property
    def width(self) -> int:
        """Terms in all."""
        return sum(map(len, self.vocabularies.values()))

    def encode(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> TermRows:
        """The known terms of each text."""
        parts = []
        for part in _batches(texts):
            parts.append(interleaved(self._blocks(part, grow=False)))
            checkpoint()
        if not parts:
            nothing = np.zeros(0, np.int32), np.zeros(1, np.int64)
            return TermRows(*nothing, len(self.vocabularies), self.width)
        return joined(parts)

    def embed(self, features: TermRows) -> NDArray[np.float32]:
        """A random projection of the TF-IDF rows, (n, DIMENSIONS) of length 1, which nearly keeps
        their angles (Achlioptas 2003); idf of the texts that the encoder was made of."""
        from sklearn.preprocessing import normalize

        if not self.width:
            return np.zeros((len(features), DIMENSIONS), np.float32)
        rows = TermWeighting.of_counts(self.found, self.rows).matrix(features)
        dense = sparse.csr_matrix(self._projection.transform(rows)).toarray()
        return np.asarray(normalize(dense), dtype=np.float32)

    def similarity(self, some: TermRows, others: TermRows) -> NDArray[np.float32]:
        """Of the TF-IDF rows; idf of the texts that the encoder was made of."""
        from sklearn.preprocessing import normalize

        weighting = TermWeighting.of_counts(self.found, self.rows)
        some_rows, other_rows = (normalize(weighting.matrix(part)) for part in (some, others))
        # Terms that stand in many texts make up most of a sparse product's work.
        common = self.found > COMMON * self.rows
        dense = some_rows[:, common].toarray() @ other_rows[:, common].toarray().T
        rare = some_rows[:, ~common] @ other_rows[:, ~common].T
        return np.asarray(dense + rare.toarray(), dtype=np.float32)

    def pack(self, features: TermRows) -> dict[str, NDArray[Any]]:
        """The columns of the terms, and where each row's blocks end."""
        first, last = int(features.ends[0]), int(features.ends[-1])
        return {"terms": features.indices[first:last], "ends": features.ends - first}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> TermRows:
        """See ports.Encoder."""
        return TermRows(arrays["terms"], arrays["ends"], len(self.vocabularies), self.width)

    def join(self, parts: Sequence[TermRows]) -> TermRows:
        """See ports.Encoder."""
        return joined(parts)

    @cached_property
    def _projection(self) -> Any:
        from sklearn.random_projection import SparseRandomProjection

        shape = sparse.csr_matrix((1, self.width), dtype=np.float32)
        return SparseRandomProjection(DIMENSIONS, random_state=0).fit(shape)

    def save(self, folder: Path) -> None:
        """Writes terms and numbers, and a copy of the language data."""
        if self.folder:
            shutil.copytree(self.folder, folder / LANGUAGE)
        state = {
            "shortest": self.shortest,
            "longest": self.longest,
            # No term holds a line break: it is white space.
            "vocabularies": {n: "\n".join(terms) for n, terms in self.vocabularies.items()},
            "found": self.found,
            "rows": self.rows,
        }
        write_state(folder / FILE, state)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads it back. Raises ClassifierError when a file is missing, damaged or foreign."""
        file = folder / FILE
        with readable(file):
            state = read_state(file, OLD_FORMAT)
            vocabularies = {n: _vocabulary(terms) for n, terms in state["vocabularies"].items()}
            return cls(
                state["shortest"],
                state["longest"],
                vocabularies,
                state["found"],
                state["rows"],
                folder / LANGUAGE if "grammar" in vocabularies else None,
            )

    def _blocks(self, texts: Sequence[str], *, grow: bool) -> list[sparse.csr_matrix]:
        texts = [unmarked(text) for text in texts]
        lowered = [plain(text) for text in texts]
        words = self._block("words", map(word_ngrams, lowered), grow)
        # Most tokens come again and again: cut each into characters once, then multiply.
        tokens: Vocabulary = {}
        tokens_of = _present((text.split() for text in lowered), tokens, grow=True)
        grams = (char_ngrams(token, self.shortest, self.longest) for token in tokens)
        chars = sparse.csr_matrix(tokens_of @ self._block("chars", grams, grow))
        chars.data[:] = 1
        blocks = [words, chars]
        if self.language is not None:
            language = self.language
            blocks += [
                self._block("grammar", (grammar_terms(text, language) for text in texts), grow),
                self._block("cues", (cue_terms(text, language.cues) for text in texts), grow),
                self._block("reader", (reader_terms(text, language) for text in texts), grow),
            ]
        for block in blocks:
            block.sort_indices()
        return blocks

    def _block(self, name: str, rows: Iterable[Iterable[str]], grow: bool) -> sparse.csr_matrix:
        return _present(rows, self.vocabularies[name], grow=grow)

    def _hash(self) -> str:
        digest = blake2b(repr((IDS, self.shortest, self.longest)).encode(), digest_size=8)
        for name, terms in self.vocabularies.items():
            digest.update("\n".join([name, *terms]).encode("utf-8", "surrogatepass"))
        digest.update(files_hash(self.folder).encode() if self.folder else b"")
        return digest.hexdigest()


def files_hash(folder: Path) -> str:
    """Changes with any file below the folder."""
    digest = blake2b(digest_size=8)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _present(
    rows: Iterable[Iterable[str]], vocabulary: Vocabulary, *, grow: bool
) -> sparse.csr_matrix:
    """1 where a term stands in a row, shape (n, known terms)."""
    columns: list[int] = []
    ends = [0]
    for row in rows:
        terms = dict.fromkeys(row)
        if grow:
            columns += [vocabulary.setdefault(term, len(vocabulary)) for term in terms]
        else:
            columns += [vocabulary[term] for term in terms if term in vocabulary]
        ends.append(len(columns))
    ones = np.ones(len(columns), dtype=np.float32)
    return sparse.csr_matrix((ones, columns, ends), shape=(len(ends) - 1, len(vocabulary)))


def _vocabulary(joined_terms: str) -> Vocabulary:
    return {term: i for i, term in enumerate(joined_terms.split("\n") if joined_terms else [])}


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
