"""The encoder of the linear classifier: turns texts into the terms that occur in them."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from biasloop.domain.text import NORMALISER_VERSION, in_one_line
from biasloop.plugins.classifiers.state import read_state, readable, write_state
from biasloop.plugins.classifiers.terms.grammar import grammar_terms
from biasloop.plugins.classifiers.terms.ngrams import (
    char_ngrams,
    lower_case,
    without_emphasis,
    word_ngrams,
)
from biasloop.plugins.classifiers.terms.reader import reader_terms
from biasloop.plugins.classifiers.terms.term_rows import TermRows, concatenate, interleaved
from biasloop.plugins.classifiers.terms.weighting import TermWeighting
from biasloop.plugins.language.cues import cue_terms
from biasloop.plugins.language.data import Language, read_language
from biasloop.ports import Checkpoint, no_checkpoint

FILE = "encoder.npz"
OLD_FORMAT = 1
ID_VERSION = 2
"""Part of every encoder id; after a change, the rows of all texts are computed again."""
LANGUAGE = "language"
"""Folder of the language data that an encoder is saved with: its terms depend on them."""
BATCH = 4096
"""Texts that are encoded between two checkpoints."""
MIN_TEXTS = 2
"""A term of unlabelled texts is used only if this many texts contain it: a term of a single text
teaches nothing."""
DIMENSIONS = 256
COMMON_SHARE = 0.02
"""A term is common if more than this share of the texts contain it."""

Vocabulary = dict[str, int]


class TermEncoder:
    """See ports.Encoder. Blocks: words, characters and, with language data, grammar, cues and
    reader terms.

    The vocabulary is fixed; unknown terms are ignored. `vocabularies` maps each term to its column
    within its block; `document_counts` (d,) says how many of the `rows` texts that the encoder was
    made from contain each term.
    """

    def __init__(
        self,
        shortest: int,
        longest: int,
        vocabularies: dict[str, Vocabulary],
        document_counts: NDArray[np.int64],
        rows: int,
        language: Path | None,
    ) -> None:
        self.shortest, self.longest = shortest, longest
        self.vocabularies = vocabularies
        self.document_counts, self.rows = document_counts, rows
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
        """An encoder with all terms of `texts`, and those terms of `unlabelled` that occur in at
        least MIN_TEXTS of all texts."""
        names = ["words", "chars", *(("grammar", "cues", "reader") if language else ())]
        empty = np.zeros(0, np.int64)
        encoder = cls(shortest, longest, {name: {} for name in names}, empty, 0, language)
        parts = [encoder._blocks(part, grow=True) for part in _batches(texts)]
        labelled_terms = [len(encoder.vocabularies[name]) for name in names]
        for part in _batches(unlabelled):
            parts.append(encoder._blocks(part, grow=True))
            checkpoint()
        document_counts = []
        for b, (name, labelled) in enumerate(zip(names, labelled_terms, strict=True)):
            vocabulary = encoder.vocabularies[name]
            counts = sum(
                (np.bincount(part[b].indices, minlength=len(vocabulary)) for part in parts),
                np.zeros(len(vocabulary), np.int64),
            )
            keep = (counts >= MIN_TEXTS) | (np.arange(len(vocabulary)) < labelled)
            terms = [term for term, kept in zip(vocabulary, keep, strict=True) if kept]
            encoder.vocabularies[name] = {term: i for i, term in enumerate(terms)}
            document_counts.append(counts[keep])
        rows = len(texts) + len(unlabelled)
        counts = np.concatenate(document_counts)
        return cls(shortest, longest, encoder.vocabularies, counts, rows, language)

    @property
    def width(self) -> int:
        """The number of terms in all blocks."""
        return sum(map(len, self.vocabularies.values()))

    def encode(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> TermRows:
        """The known terms of each text."""
        parts = []
        for part in _batches(texts):
            parts.append(interleaved(self._blocks(part, grow=False)))
            checkpoint()
        if not parts:
            no_terms, ends = np.zeros(0, np.int32), np.zeros(1, np.int64)
            return TermRows(no_terms, ends, len(self.vocabularies), self.width)
        return concatenate(parts)

    def embed(self, features: TermRows) -> NDArray[np.float32]:
        """Random projections (n, DIMENSIONS) of the TF-IDF rows, scaled to length 1, which nearly
        preserve angles (Achlioptas 2003). The IDF is that of the encoder's own texts."""
        from sklearn.preprocessing import normalize

        if not self.width:
            return np.zeros((len(features), DIMENSIONS), np.float32)
        rows = TermWeighting.from_counts(self.document_counts, self.rows).matrix(features)
        dense = sparse.csr_matrix(self._projection.transform(rows)).toarray()
        return np.asarray(normalize(dense), dtype=np.float32)

    def similarity(self, some: TermRows, others: TermRows) -> NDArray[np.float32]:
        """Cosine similarities of the TF-IDF rows. The IDF is that of the encoder's own texts."""
        from sklearn.preprocessing import normalize

        weighting = TermWeighting.from_counts(self.document_counts, self.rows)
        some_rows, other_rows = (normalize(weighting.matrix(part)) for part in (some, others))
        # Common terms take most of the time of a sparse product, so they are multiplied densely.
        common = self.document_counts > COMMON_SHARE * self.rows
        dense = some_rows[:, common].toarray() @ other_rows[:, common].toarray().T
        rare = some_rows[:, ~common] @ other_rows[:, ~common].T
        return np.asarray(dense + rare.toarray(), dtype=np.float32)

    def pack(self, features: TermRows) -> dict[str, NDArray[Any]]:
        """The columns of the terms, and the end of each block of each row."""
        first, last = int(features.ends[0]), int(features.ends[-1])
        return {"terms": features.indices[first:last], "ends": features.ends - first}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> TermRows:
        """See ports.Encoder."""
        rows = TermRows(arrays["terms"], arrays["ends"], len(self.vocabularies), self.width)
        rows.require_sound()
        return rows

    def join(self, parts: Sequence[TermRows]) -> TermRows:
        """See ports.Encoder."""
        return concatenate(parts)

    @cached_property
    def _projection(self) -> Any:
        from sklearn.random_projection import SparseRandomProjection

        shape = sparse.csr_matrix((1, self.width), dtype=np.float32)
        return SparseRandomProjection(DIMENSIONS, random_state=0).fit(shape)

    def save(self, folder: Path) -> None:
        """Writes the terms, their document counts and a copy of the language data."""
        if self.folder:
            shutil.copytree(self.folder, folder / LANGUAGE)
        state = {
            "shortest": self.shortest,
            "longest": self.longest,
            # No term contains a line break, so line breaks can separate them.
            "vocabularies": {n: "\n".join(terms) for n, terms in self.vocabularies.items()},
            "found": self.document_counts,
            "rows": self.rows,
        }
        write_state(folder / FILE, state)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads a saved encoder. Raises ClassifierError when a file is missing, damaged or not a
        model file of biasloop."""
        file = folder / FILE
        with readable(file):
            state = read_state(file, OLD_FORMAT)
            vocabularies = {n: _vocabulary(terms) for n, terms in state["vocabularies"].items()}
            encoder = cls(
                state["shortest"],
                state["longest"],
                vocabularies,
                state["found"],
                state["rows"],
                folder / LANGUAGE if "grammar" in vocabularies else None,
            )
            counts = encoder.document_counts
            if counts.shape != (encoder.width,) or not np.issubdtype(counts.dtype, np.integer):
                raise ValueError(f"the counts are not those of {encoder.width} terms")
        return encoder

    def _blocks(self, texts: Sequence[str], *, grow: bool) -> list[sparse.csr_matrix]:
        texts = [without_emphasis(in_one_line(text)) for text in texts]
        lowered = [lower_case(text) for text in texts]
        words = self._block("words", map(word_ngrams, lowered), grow)
        # Most tokens are repeated: split each into n-grams only once, then multiply.
        tokens: Vocabulary = {}
        tokens_of = _presence_matrix((text.split() for text in lowered), tokens, grow=True)
        grams = (char_ngrams(token, self.shortest, self.longest) for token in tokens)
        chars = sparse.csr_matrix(tokens_of @ self._block("chars", grams, grow))
        chars.data[:] = 1
        blocks = [words, chars]
        if self.language is not None:
            blocks += self._language_blocks(texts, self.language, grow)
        for block in blocks:
            block.sort_indices()
        return blocks

    def _language_blocks(
        self, texts: Sequence[str], language: Language, grow: bool
    ) -> list[sparse.csr_matrix]:
        """The blocks of grammar, cues and reader, made text by text: they share what is cached
        about a text, such as its tokens."""
        grammar, cues, reader = (
            _PresenceRows(self.vocabularies[name], grow) for name in ("grammar", "cues", "reader")
        )
        for text in texts:
            grammar.add(grammar_terms(text, language))
            cues.add(cue_terms(text, language.cues))
            reader.add(reader_terms(text, language))
        return [rows.matrix() for rows in (grammar, cues, reader)]

    def _block(self, name: str, rows: Iterable[Iterable[str]], grow: bool) -> sparse.csr_matrix:
        return _presence_matrix(rows, self.vocabularies[name], grow=grow)

    def _hash(self) -> str:
        identity = (ID_VERSION, NORMALISER_VERSION, self.shortest, self.longest)
        digest = blake2b(repr(identity).encode(), digest_size=8)
        for name, terms in self.vocabularies.items():
            digest.update("\n".join([name, *terms]).encode("utf-8", "surrogatepass"))
        digest.update(files_hash(self.folder).encode() if self.folder else b"")
        return digest.hexdigest()


def files_hash(folder: Path) -> str:
    """A hash of the names and contents of all files in the folder and its subfolders."""
    digest = blake2b(digest_size=8)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


class _PresenceRows:
    """Collects the rows of a matrix, see `_presence_matrix`."""

    def __init__(self, vocabulary: Vocabulary, grow: bool) -> None:
        self.vocabulary, self.grow = vocabulary, grow
        self.columns: list[int] = []
        self.ends = [0]

    def add(self, row: Iterable[str]) -> None:
        """Adds the row of these terms, which may be repeated."""
        terms, vocabulary = dict.fromkeys(row), self.vocabulary
        if self.grow:
            self.columns += [vocabulary.setdefault(term, len(vocabulary)) for term in terms]
        else:
            self.columns += [vocabulary[term] for term in terms if term in vocabulary]
        self.ends.append(len(self.columns))

    def matrix(self) -> sparse.csr_matrix:
        """The matrix (n, size of the vocabulary)."""
        ones = np.ones(len(self.columns), dtype=np.float32)
        shape = (len(self.ends) - 1, len(self.vocabulary))
        return sparse.csr_matrix((ones, self.columns, self.ends), shape=shape)


def _presence_matrix(
    rows: Iterable[Iterable[str]], vocabulary: Vocabulary, *, grow: bool
) -> sparse.csr_matrix:
    """1 where a term occurs in a row, shape (n, size of the vocabulary). With `grow`, new terms
    are added to the vocabulary; else they are left out."""
    matrix = _PresenceRows(vocabulary, grow)
    for row in rows:
        matrix.add(row)
    return matrix.matrix()


def _vocabulary(joined_terms: str) -> Vocabulary:
    return {term: i for i, term in enumerate(joined_terms.split("\n") if joined_terms else [])}


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
