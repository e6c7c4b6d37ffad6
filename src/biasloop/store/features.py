"""Stored feature rows of the pool: computed once per item, a folder per encoder, memory-mapped.

After an append only the new rows are computed. Everything can be computed again from the pool: a
takedown simply deletes it, and what is damaged is replaced.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Features, Similarity
from biasloop.errors import PoolError, reason
from biasloop.ports import (
    Checkpoint,
    Encoder,
    EncoderClassifier,
    Pool,
    no_checkpoint,
)
from biasloop.store.atomic import read_if_intact, write_whole, written_whole

ENCODER = "encoder"
BUILD_FILE = "made.json"
"""Describes the data that an encoder was made from. It is written last: a folder without it is
incomplete and ignored."""
MAX_SAMPLE = 50_000
"""Maximum number of pool items that an encoder is made from."""
MAX_GROWTH = 2
"""A new encoder is made once there are this many times the texts that the old one was made from. So
the cost of encoding everything again is spread over at least as many new items."""


class JoinedEncoder(Encoder, Protocol):
    """An encoder whose rows are those of several encoders side by side.

    Each part's rows are stored by themselves, so a new part leaves the rows of the others as they
    are.
    """

    parts: Sequence[Encoder]

    def combine(self, features: Sequence[Any]) -> Features:
        """The rows of the same texts by each part, as the rows of this encoder."""


def is_joined(encoder: Encoder) -> TypeGuard[JoinedEncoder]:
    """Whether the encoder consists of several."""
    return hasattr(encoder, "parts")


class FeatureStore:
    """The encoder of a pool and the feature rows that it computed, in a folder.

    Methods raise PoolError when a file cannot be written, ClassifierError when an encoder cannot be
    made.
    """

    def __init__(self, folder: Path, pool: Pool) -> None:
        self._folder = folder
        self._pool = pool

    def encoder(self, classifier: EncoderClassifier, labelled: Sequence[str]) -> Encoder:
        """The stored encoder if it is intact, has the same options and was made from enough texts;
        else a new one from the labelled texts and a sample of the pool, which replaces it."""
        build = {
            "key": classifier.encoder_key(),
            "labelled": len(labelled),
            "pool": len(self._pool),
        }

        def load(folder: Path) -> Encoder | None:
            old = json.loads((folder / BUILD_FILE).read_text("utf-8"))
            growth = max(build[name] / max(1, old[name]) for name in ("labelled", "pool"))
            if old["key"] != build["key"] or growth >= MAX_GROWTH:
                return None
            encoder = classifier.load_encoder(folder / ENCODER)
            return encoder if encoder.id == folder.name else None

        for path in sorted(self._folder.glob(f"*/{BUILD_FILE}")):
            if encoder := read_if_intact(path.parent, load):
                return encoder
        sample = np.unique(np.linspace(0, len(self._pool) - 1, MAX_SAMPLE).astype(np.int64))
        texts = self._pool.texts(sample) if len(self._pool) else []
        encoder = classifier.make_encoder(labelled, texts)
        self._save_encoder(encoder, build)
        return encoder

    def shard(
        self,
        encoder: Encoder,
        shard: tuple[int, int, int],
        *,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> Features:
        """The feature rows of a shard of the pool, given as (number, first row, number of rows).
        They are computed and stored unless they are stored already and intact."""
        if is_joined(encoder):
            parts = [self.shard(part, shard, checkpoint=checkpoint) for part in encoder.parts]
            return encoder.combine(parts)
        number, start, rows = shard
        folder = self._folder / encoder.id / f"{number:06d}"

        def read(folder: Path) -> Features:
            # "c" since torch refuses read-only arrays; nothing is written back to the file.
            arrays = {path.stem: np.load(path, mmap_mode="c") for path in folder.glob("*.npy")}
            features = encoder.unpack(arrays)
            if len(features) != rows:
                raise ValueError(f"{len(features)} rows instead of {rows}")
            return features

        stored = read_if_intact(folder, read)
        if stored is not None:
            return stored
        texts = self._pool.texts(range(start, start + rows))
        self._write_arrays(folder, encoder.pack(encoder.encode(texts, checkpoint=checkpoint)))
        try:
            return read(folder)
        except (OSError, ValueError, KeyError) as error:
            raise PoolError(
                f"the features that were just written to {folder} cannot be read back ({error}); "
                "check the disk, then try again"
            ) from None

    def rows(
        self, encoder: Encoder, rows: Rows, *, checkpoint: Checkpoint = no_checkpoint
    ) -> Features:
        """The features of these pool rows, which are sorted. Rows of shards that are not stored are
        computed, but not stored."""
        if is_joined(encoder):
            return encoder.combine(
                [self.rows(part, rows, checkpoint=checkpoint) for part in encoder.parts]
            )
        parts = []
        for number, start, count in self._pool.shards():
            rows_in_shard = rows[(rows >= start) & (rows < start + count)]
            if (self._folder / encoder.id / f"{number:06d}").exists():
                parts.append(self.shard(encoder, (number, start, count))[rows_in_shard - start])
            elif len(rows_in_shard):
                texts = self._pool.texts(rows_in_shard)
                parts.append(encoder.encode(texts, checkpoint=checkpoint))
        return encoder.join(parts)

    def similarity(self, encoder: Callable[[], Encoder], rows: Rows) -> Similarity:
        """A function that returns the cosine similarities (n, n') of two selections of these pool
        rows, given as positions in `rows`. `encoder` is called only when it is used."""

        def features(positions: Rows) -> Features:
            unique_rows, inverse = np.unique(rows[positions], return_inverse=True)
            in_order: Features = self.rows(encoder(), unique_rows)[inverse]
            return in_order

        return lambda some, others: encoder().similarity(features(some), features(others))

    def _save_encoder(self, encoder: Encoder, build: dict[str, Any]) -> None:
        """Saves the encoder and deletes all others with their rows."""
        parts = encoder.parts if is_joined(encoder) else ()
        kept = {encoder.id, *(part.id for part in parts)}
        for other in self._folder.glob("*"):
            if other.name not in kept:
                shutil.rmtree(other, ignore_errors=True)
        folder = self._folder / encoder.id
        try:
            with written_whole(folder / ENCODER) as temporary:
                temporary.mkdir(parents=True)
                encoder.save(temporary)
                shutil.rmtree(folder / ENCODER, ignore_errors=True)
            write_whole(folder / BUILD_FILE, json.dumps(build))
        except OSError as error:
            raise _write_error(folder, error) from error

    def _write_arrays(self, folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
        try:
            with written_whole(folder) as temporary:
                temporary.mkdir(parents=True)
                for name, array in arrays.items():
                    np.save(temporary / f"{name}.npy", array)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise _write_error(folder, error) from error


def _write_error(folder: Path, error: OSError) -> PoolError:
    return PoolError(
        f"cannot write the features in {folder}: {reason(error)}; "
        "check free space and permissions, then try again"
    )
