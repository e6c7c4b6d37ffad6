"""How long `biasloop classify` takes in another version of biasloop and in this one, in turns, or
in one process and in several.

    python -m benchmarks.classify TEXTS OTHER_CHECKOUT OTHER_WORKSPACE WORKSPACE [--pairs 5]
    python -m benchmarks.classify ADS_FOLDER WORKSPACE --jobs 2 [--sentences 10000] [--pairs 3]

Each version classifies all texts of the file in a process of its own, with the model of its own
workspace: the other version first, then this one, and so on in pairs. What counts is processor
time, because a loaded machine makes wall time longer. `loading` is the time for the first text
alone; `flagged` says how many texts had evidence to find. Both versions run as installed packages
do, from compiled files, which a first run that does not count writes to a temporary folder.

With --jobs, each sentence is a text: those of the ads and then the campaign's seeds, each once. One
process and several classify them in turns into files that must be equal; what counts is wall time
from the start of the command to its end. On a machine that does other things, too, the processor
time says how much work was added, and `load` how many processes wanted a core.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .style import real_sentences, seed_sentences

ROOT = Path(__file__).parents[1]
RUN = "from biasloop.cli.main import run; run()"


def classify(
    checkout: Path, workspace: Path, texts: Path, compiled: str
) -> tuple[float, list[dict[str, Any]]]:
    """Seconds of processor time, and the verdicts. `compiled` is the folder of compiled files."""
    variables = {
        "PYTHONPATH": str(checkout.resolve() / "src"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPYCACHEPREFIX": compiled,
        "PYTHONDONTWRITEBYTECODE": "",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", RUN, "classify", str(texts.resolve())],
        cwd=workspace,
        env=os.environ | variables,
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
        for version in versions:
            classify(*version, first, folder)
        loading, seconds = [], []
        for _ in range(pairs):
            loading.append([classify(*version, first, folder)[0] for version in versions])
            runs = [classify(*version, texts, folder) for version in versions]
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


def classify_into(workspace: Path, texts: Path, to: Path, jobs: int) -> tuple[float, float]:
    """Seconds of wall time and of processor time, with a file as the result."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "biasloop.cli.main", "classify", texts, "--to", to, "--force",
         "--jobs", str(jobs)],
        cwd=workspace,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_jobs(
    ads: Path, workspace: Path, sentences: int, jobs: int, pairs: int
) -> dict[str, Any]:
    """Seconds of one process and of several, and their ratios: median, least and largest."""
    known = (*real_sentences(ads, "it"), *seed_sentences("job_ads_it"))
    texts = list(dict.fromkeys(known))[:sentences]
    loads, runs = [], []
    with tempfile.TemporaryDirectory() as folder:
        file, one, several = (Path(folder, name) for name in ("in.jsonl", "1.jsonl", "n.jsonl"))
        rows = ({"id": number, "text": text} for number, text in enumerate(texts))
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
        for _ in range(pairs):
            runs.append(
                (
                    classify_into(workspace, file, one, 1),
                    classify_into(workspace, file, several, jobs),
                )
            )
            loads.append(os.getloadavg()[0])
            assert one.read_bytes() == several.read_bytes()
    return {
        "texts": len(texts),
        "jobs": jobs,
        "wall_one": [round(first[0], 1) for first, _ in runs],
        "wall_several": [round(second[0], 1) for _, second in runs],
        "cpu_one": [round(first[1], 1) for first, _ in runs],
        "cpu_several": [round(second[1], 1) for _, second in runs],
        "load": [round(load, 1) for load in loads],
        "times": [
            round(f(first[0] / second[0] for first, second in runs), 2) for f in (median, min, max)
        ],
    }


def main() -> None:
    """Prints a line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--sentences", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if len(options.paths) != (4 if options.jobs is None else 2):
        parser.error("which paths are needed stands above")
    if options.jobs is not None:
        ads, workspace = options.paths
        figures = measure_jobs(ads, workspace, options.sentences, options.jobs, options.pairs)
    else:
        texts, other_checkout, other_workspace, workspace = options.paths
        versions = [(other_checkout, other_workspace), (ROOT, workspace)]
        figures = measure(texts, versions, options.pairs)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
