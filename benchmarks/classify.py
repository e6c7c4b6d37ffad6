"""How long `biasloop classify` takes in another version of biasloop and in this one, in turns.

    python -m benchmarks.classify TEXTS OTHER_CHECKOUT OTHER_WORKSPACE WORKSPACE [--pairs 5]

Each version classifies all texts of the file in a process of its own, with the model of its own
workspace: the other version first, then this one, and so on in pairs. What counts is processor
time, because a loaded machine makes wall time longer. `loading` is the time for the first text
alone; `flagged` says how many texts had evidence to find.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
RUN = "from biasloop.cli.main import run; run()"


def classify(checkout: Path, workspace: Path, texts: Path) -> tuple[float, list[dict[str, Any]]]:
    """Seconds of processor time, and the verdicts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", RUN, "classify", str(texts.resolve())],
        cwd=workspace,
        env=os.environ | {"PYTHONPATH": str(checkout.resolve() / "src"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, [json.loads(line) for line in done.stdout.splitlines()]


def measure(texts: Path, versions: Sequence[tuple[Path, Path]], pairs: int) -> dict[str, Any]:
    """Seconds of each pair and their ratios, for (checkout, workspace) of the other version and of
    this one."""
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "first.jsonl")
        first.write_text(texts.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
        loading, seconds = [], []
        for _ in range(pairs):
            loading.append([classify(*version, first)[0] for version in versions])
            runs = [classify(*version, texts) for version in versions]
            seconds.append([run[0] for run in runs])
    with_loading = [other / this for other, this in seconds]
    without = [
        (other - other_loading) / (this - this_loading)
        for (other, this), (other_loading, this_loading) in zip(seconds, loading, strict=True)
    ]
    return {
        "texts": len(runs[1][1]),
        "flagged": [sum(bool(verdict["flagged"]) for verdict in run[1]) for run in runs],
        "seconds": [round(median(column), 1) for column in zip(*seconds, strict=True)],
        "loading": [round(median(column), 1) for column in zip(*loading, strict=True)],
        "times_with_loading": [round(f(with_loading), 2) for f in (median, min, max)],
        "times_without": [round(f(without), 2) for f in (median, min, max)],
    }


def main() -> None:
    """Prints a line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("texts", "other_checkout", "other_workspace", "workspace"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    versions = [(options.other_checkout, options.other_workspace), (ROOT, options.workspace)]
    figures = measure(options.texts, versions, options.pairs)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
