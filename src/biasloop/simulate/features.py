"""Feature rows of pool and test texts, computed once and shared by the processes of all runs."""

from pathlib import Path
from typing import Any

import numpy as np

from biasloop.plugins.registry import Kind, create
from biasloop.ports import has_encoder
from biasloop.simulate.gold import Gold
from biasloop.simulate.run import Encoded, Setup
from biasloop.store.atomic import written_whole

PARTS = ("pool", "test")


def store_features(gold: Gold, setup: Setup, folder: Path) -> Path | None:
    """Stores encoder and feature rows in a folder below `folder`, unless they are there already.

    Returns the folder, which is written atomically; None for a classifier without an encoder.
    Raises ClassifierError when the encoder cannot be made.
    """
    classifier: Any = create(Kind.CLASSIFIER, setup.classifier, setup.options)
    if not has_encoder(classifier):
        return None
    encoder = classifier.make_encoder(gold.pool.texts)
    features = folder / f"{gold.id}-{encoder.id}"
    if features.exists():
        return features
    with written_whole(features) as temporary:
        (temporary / "encoder").mkdir(parents=True)
        encoder.save(temporary / "encoder")
        for part in PARTS:
            (temporary / part).mkdir()
            rows = encoder.encode(getattr(gold, part).texts)
            for name, array in encoder.pack(rows).items():
                np.save(temporary / part / f"{name}.npy", array)
    return features


def read_features(setup: Setup, folder: Path) -> Encoded:
    """Encoder and feature rows from `folder`, memory-mapped."""
    classifier: Any = create(Kind.CLASSIFIER, setup.classifier, setup.options)
    encoder = classifier.load_encoder(folder / "encoder")

    def rows(part: str) -> Any:
        # "c" (copy on write): torch takes no read-only arrays; nothing is written back.
        files = (folder / part).glob("*.npy")
        return encoder.unpack({path.stem: np.load(path, mmap_mode="c") for path in files})

    return Encoded(encoder, *map(rows, PARTS))
