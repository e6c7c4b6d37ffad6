"""Prints what the counterfactual rewriter makes of a campaign's seeds, for human review.

    python -m benchmarks.operations [--campaign job_ads_it] [--n 50] [--seed 0]

At most `n` outputs of each operation are printed, each with its labels. Another `seed` gives
another expansion and sample. Versions and rewrites by the authors of the seeds are left out.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.seeds import SEED, load
from biasloop.domain.item import VERSION
from biasloop.domain.label import LabelSource
from biasloop.rounds.steps.train.data import columns

WRITTEN = (VERSION, "rewrite")


def main() -> None:
    """Expands the seeds and prints a sample of every operation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaign", default="job_ads_it")
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--seed", type=int, default=SEED, help="of expansion and sample")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service, data = load(arguments.campaign, Path(folder) / "workspace", arguments.seed)
    labels = service.campaign.scheme.labels
    texts_by_operation: dict[str, list[str]] = defaultdict(list)
    for row in data[data["source"] == LabelSource.CONSTRUCTED].to_dict("records"):
        operation = row["operation"].partition("@")[0]
        if not operation.startswith(WRITTEN):
            row_labels = [
                n for n, column in zip(labels, columns(labels), strict=True) if row[column]
            ]
            texts_by_operation[operation].append(f"[{', '.join(row_labels)}] {row['text']}")
    rng = np.random.default_rng(arguments.seed)
    for operation, texts in sorted(texts_by_operation.items()):
        print(f"\n{operation} ({len(texts)})")
        for i in rng.permutation(len(texts))[: arguments.n]:
            print(f"  {texts[i]}")


if __name__ == "__main__":
    main()
