"""Prints what the counterfactual rewriter makes of a campaign's seeds, for a person to read.

    python -m benchmarks.operations [--campaign job_ads_it] [--n 50] [--seed 0]

At most `n` outputs of each operation, each with its labels. Another `seed` expands anew and draws
another sample. What the authors of the seeds wrote themselves (versions and rewrites) is left out.
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
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service, data = load(asked.campaign, Path(folder) / "workspace", asked.seed)
    labels = service.campaign.scheme.labels
    made: dict[str, list[str]] = defaultdict(list)
    for row in data[data["source"] == LabelSource.CONSTRUCTED].to_dict("records"):
        operation = row["operation"].partition("@")[0]
        if not operation.startswith(WRITTEN):
            found = [n for n, column in zip(labels, columns(labels), strict=True) if row[column]]
            made[operation].append(f"[{', '.join(found)}] {row['text']}")
    rng = np.random.default_rng(asked.seed)
    for operation, texts in sorted(made.items()):
        print(f"\n{operation} ({len(texts)})")
        for i in rng.permutation(len(texts))[: asked.n]:
            print(f"  {texts[i]}")


if __name__ == "__main__":
    main()
