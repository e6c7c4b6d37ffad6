"""Feature rows of pool and test, made once for all runs and shared by their processes."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from biasloop.plugins.registry import Kind, create
from biasloop.ports import has_encoder
from biasloop.simulate.gold import Gold
from biasloop.simulate.run import Encoded, Setup

PARTS = ("pool", "test")


def keep_features(gold: Gold, setup: Setup, folder: Path) -> Path | None:
    """Makes them in a folder in `folder`, unless they are there; they appear whole or not at all.
    None for a classifier without an encoder. Raises ClassifierError when there can be none."""
    classifier: Any = create(Kind.CLASSIFIER, setup.classifier, setup.options)
    if not has_encoder(classifier):
        return None
    encoder = classifier.make_encoder(gold.pool.texts)
    made = folder / f"{gold.id}-{encoder.id}"
    if made.exists():
        return made
    beside = folder / f"{made.name}.{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "encoder").mkdir(parents=True)
    encoder.save(beside / "encoder")
    for part in PARTS:
        (beside / part).mkdir()
        rows = encoder.encode(getattr(gold, part).texts)
        for name, array in encoder.pack(rows).items():
            np.save(beside / part / f"{name}.npy", array)
    beside.rename(made)
    return made


def read_features(setup: Setup, folder: Path) -> Encoded:
    """What was kept in `folder`, memory-mapped."""
    classifier: Any = create(Kind.CLASSIFIER, setup.classifier, setup.options)
    encoder = classifier.load_encoder(folder / "encoder")

    def rows(part: str) -> Any:
        # "c": torch takes no read-only arrays; nothing is ever written back.
        files = (folder / part).glob("*.npy")
        return encoder.unpack({path.stem: np.load(path, mmap_mode="c") for path in files})

    return Encoded(encoder, *map(rows, PARTS))
