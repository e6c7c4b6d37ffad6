"""Feature rows of the pool, made once per item and kept: a folder per encoder, memory-mapped.

An append costs the new rows only. Everything here can be made again from the pool, so a takedown
simply removes it.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Features, Similarity
from biasloop.errors import PoolError
from biasloop.ports import Checkpoint, Encoder, EncoderClassifier, Pool, no_checkpoint
from biasloop.store.atomic import write_whole, written_whole

MADE = "made.json"
"""What an encoder was made of; written last, so a folder without it does not count."""
SAMPLE = 50_000
"""Pool items that an encoder is made of, at most."""
OUTGROWN = 2
"""An encoder is made anew when there are so many times the texts that it was made of, so that
the work of encoding everything again is spread over at least as many new items."""


class FeatureStore:
    """Encoders and the rows they made, in a folder, for one pool.

    Methods raise PoolError when a file cannot be read or written, ClassifierError when an encoder
    cannot be made.
    """

    def __init__(self, folder: Path, pool: Pool) -> None:
        self._folder = folder
        self._pool = pool

    def encoder(self, classifier: EncoderClassifier, labelled: Sequence[str]) -> Encoder:
        """The kept encoder while it fits; else one made of the labelled texts and a sample of the
        pool, which takes its place."""
        size = {"key": classifier.encoder_key(), "labelled": len(labelled), "pool": len(self._pool)}
        for made in sorted(self._folder.glob(f"*/{MADE}")):
            was = json.loads(made.read_text("utf-8"))
            grown = max(size[name] / max(1, was[name]) for name in ("labelled", "pool"))
            if was["key"] == size["key"] and grown < OUTGROWN:
                return classifier.load_encoder(made.parent / "encoder")
        sample = np.unique(np.linspace(0, len(self._pool) - 1, SAMPLE).astype(np.int64))
        texts = self._pool.texts(sample) if len(self._pool) else []
        encoder = classifier.make_encoder(labelled, texts)
        self._keep(encoder, size)
        return encoder

    def shard(
        self,
        encoder: Encoder,
        shard: tuple[int, int, int],
        *,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> Features:
        """The rows of one shard of the pool (number, first row, rows), made if they are not yet
        there."""
        number, start, rows = shard
        folder = self._folder / encoder.id / f"{number:06d}"
        if not folder.exists():
            texts = self._pool.texts(range(start, start + rows))
            self._write(folder, encoder.pack(encoder.encode(texts, checkpoint=checkpoint)))
        try:
            # "c": torch takes no read-only arrays; nothing is ever written back.
            arrays = {path.stem: np.load(path, mmap_mode="c") for path in folder.glob("*.npy")}
            features = encoder.unpack(arrays)
            if len(features) != rows:
                raise ValueError(f"{len(features)} rows instead of {rows}")
        except (OSError, ValueError, KeyError) as error:
            raise PoolError(
                f"the features in {folder} cannot be read ({error!r}); delete that folder: what "
                "was in it is made again when it is needed"
            ) from None
        return features

    def rows(
        self, encoder: Encoder, rows: Rows, *, checkpoint: Checkpoint = no_checkpoint
    ) -> Features:
        """These pool rows, which are sorted: kept ones, and the others made for the occasion."""
        parts = []
        for number, start, count in self._pool.shards():
            wanted = rows[(rows >= start) & (rows < start + count)]
            if (self._folder / encoder.id / f"{number:06d}").exists():
                parts.append(self.shard(encoder, (number, start, count))[wanted - start])
            elif len(wanted):
                parts.append(encoder.encode(self._pool.texts(wanted), checkpoint=checkpoint))
        return encoder.join(parts)

    def similarity(self, encoder: Callable[[], Encoder], rows: Rows) -> Similarity:
        """That of these pool rows; the encoder is made only when it is asked about some."""

        def features(places: Rows) -> Features:
            wanted, back = np.unique(rows[places], return_inverse=True)
            found: Features = self.rows(encoder(), wanted)[back]
            return found

        return lambda some, others: encoder().similarity(features(some), features(others))

    def _keep(self, encoder: Encoder, size: dict[str, Any]) -> None:
        for other in self._folder.glob("*"):
            if other.name != encoder.id:
                shutil.rmtree(other, ignore_errors=True)
        folder = self._folder / encoder.id
        shutil.rmtree(folder / "encoder", ignore_errors=True)
        try:
            (folder / "encoder").mkdir(parents=True)
            encoder.save(folder / "encoder")
            write_whole(folder / MADE, json.dumps(size))
        except OSError as error:
            raise _unwritable(folder, error) from error

    def _write(self, folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
        try:
            with written_whole(folder) as temporary:
                temporary.mkdir(parents=True)
                for name, array in arrays.items():
                    np.save(temporary / f"{name}.npy", array)
        except OSError as error:
            raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> PoolError:
    return PoolError(
        f"cannot write the features in {folder}: {error.strerror or error}; "
        "check free space and rights, then do the same again"
    )
