"""How long it takes to look 10,000 new texts up among 1,000,000 that are in the pool.

   python -m benchmarks.near_duplicates [--pool 1000000] [--new 10000] [--sample 10000] [--json]

Texts are made on the spot, seeded: 8 to 24 words of 30,000 made-up ones, drawn by Zipf's law; every
tenth is one of 1,000 phrases with at most one word changed, as ads repeat themselves. A tenth of
the new texts is planted: a text of the pool with up to a fifth of its words changed. Those whose
words have a Jaccard similarity of 0.8 and more with it are to be found.

Beside it, exactly and with no index: every new text against each of the first `sample` pool texts,
by a product of sparse matrices (scipy). Its time grows with the pool and is extrapolated to it; it
also says which pairs of the sample there are to find. Making texts is not timed. Memory is what
the process grew by. On a machine that does other work, compare processor seconds.
"""

import argparse
import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.progress import track
from scipy import sparse

from biasloop.domain.writing.screening import words
from biasloop.rounds.steps.expand.near_duplicates import ALIKE, NearDuplicates
from biasloop.rounds.steps.expand.synthesis import CHUNK_ROWS

SYLLABLES = [a + b for a, b in product("bcdfglmnprstvz", "aeiou")]
WORDS = np.array(["".join(s) for s in product(SYLLABLES, SYLLABLES, SYLLABLES)])[::11][:30_000]
SHARES = 1 / np.arange(1, len(WORDS) + 1)
LIMITS = np.cumsum(SHARES) / SHARES.sum()
PHRASES = 1_000
Numbers = list[Any]
"""A text by the numbers of its words."""


def drawn(rng: np.random.Generator, n: int) -> Any:
    """Numbers of words, by Zipf's law."""
    return np.minimum(np.searchsorted(LIMITS, rng.random(n)), len(WORDS) - 1)


def changed(rng: np.random.Generator, text: Any, n: int) -> Any:
    """With other words in n places."""
    text = text.copy()
    text[rng.permutation(len(text))[:n]] = rng.integers(0, len(WORDS), min(n, len(text)))
    return text


def plain(rng: np.random.Generator, n: int) -> Numbers:
    """Texts."""
    lengths = rng.integers(8, 25, n)
    return np.split(drawn(rng, lengths.sum()), np.cumsum(lengths)[:-1])


def chunk(number: int, n: int) -> Numbers:
    """The chunk of this number of the pool, always the same."""
    rng = np.random.default_rng([1, number])
    phrases = plain(np.random.default_rng(0), PHRASES)
    made = plain(rng, n)
    for i in range(0, n, 10):
        made[i] = changed(rng, phrases[rng.integers(PHRASES)], int(rng.integers(2)))
    return made


def spelled(texts: Numbers) -> list[str]:
    """As texts."""
    return [" ".join(WORDS[text]) for text in texts]


def pool(n: int) -> Iterator[list[str]]:
    """All of it, a chunk at a time."""
    for number, start in enumerate(range(0, n, CHUNK_ROWS)):
        yield spelled(chunk(number, min(CHUNK_ROWS, n - start)))


def new_texts(n: int, of_pool: int, sample: int) -> tuple[list[str], dict[int, int]]:
    """New texts, and of the planted ones the pool row that each was made of, by position; half of
    them are of rows of the sample."""
    rng = np.random.default_rng(2)
    made, planted = plain(rng, n), {}
    rows = [int(rng.integers(sample if i % 2 else of_pool)) for i in range(n // 10)]
    chunks = dict.fromkeys(sorted({row // CHUNK_ROWS for row in rows}))
    found: dict[int, Any] = {}
    for number in chunks:
        texts = chunk(number, min(CHUNK_ROWS, of_pool - number * CHUNK_ROWS))
        found |= {row: texts[row % CHUNK_ROWS] for row in rows if row // CHUNK_ROWS == number}
    for i, row in enumerate(rows):
        text = found[row]
        made[i * 10] = changed(rng, text, int(rng.integers(0, len(text) // 5 + 1)))
        planted[i * 10] = row
    return spelled(made), planted


def likeness(a: str, b: str) -> float:
    """Jaccard similarity of the sets of words."""
    x, y = set(words(a)), set(words(b))
    return len(x & y) / len(x | y)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What came of it, wall-clock and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def memory() -> float:
    """Of this process now, MB."""
    return float(psutil.Process().memory_info().rss) / 2**20


def exact(new: list[str], old: list[str]) -> set[tuple[int, int]]:
    """(position in `old`, position in `new`) of all pairs that are nearly the same."""
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    x, y = (_matrix(texts, numbers) for texts in (new, old))
    width = len(numbers)
    x.resize(len(new), width)
    y.resize(len(old), width)
    sizes = np.asarray(x.sum(axis=1)).ravel()
    transposed, found = x.T.tocsc(), set()
    for start in range(0, len(old), 500):
        shared = (y[start : start + 500] @ transposed).tocoo()
        either = sizes[shared.col] + np.asarray(y.sum(axis=1)).ravel()[start + shared.row]
        near = shared.data >= ALIKE * (either - shared.data)
        found |= set(
            zip((start + shared.row[near]).tolist(), shared.col[near].tolist(), strict=True)
        )
    return found


def _matrix(texts: list[str], numbers: dict[str, int]) -> sparse.csr_matrix:
    sets = [{numbers[word] for word in words(text)} for text in texts]
    ends = np.cumsum([0, *map(len, sets)])
    columns = np.array([number for found in sets for number in sorted(found)])
    return sparse.csr_matrix(
        (np.ones(len(columns), np.int32), columns, ends), shape=(len(texts), len(numbers))
    )


def measure(n_pool: int, n_new: int, n_sample: int) -> dict[str, Any]:
    """All figures."""
    new, planted = new_texts(n_new, n_pool, n_sample)
    index, before = NearDuplicates(), memory()
    _, seconds, cpu = timed(lambda: index.add(new))
    of_index, most = memory() - before, 0.0
    pairs: set[tuple[int, int]] = set()
    alike: dict[int, float] = {}
    sample: list[str] = []
    start, shown = 0, Console(stderr=True)
    for texts in track(pool(n_pool), total=-(-n_pool // CHUNK_ROWS), console=shown):
        found, wall, used = timed(partial(list, index.similar_pairs(texts)))
        seconds, cpu, most = seconds + wall, cpu + used, max(most, memory() - before)
        pairs |= {(start + position, number) for position, number in found}
        for position, row in planted.items():
            if start <= row < start + len(texts):
                alike[position] = likeness(texts[row - start], new[position])
        sample += texts[: max(0, n_sample - start)]
        start += len(texts)
    there, brute, brute_cpu = timed(lambda: exact(new, sample))
    near = {position for position, value in alike.items() if value >= ALIKE}
    bands = {"0.8 to 0.9": (0.8, 0.9), "0.9 to 1": (0.9, 1.0), "the same words": (1.0, 1.1)}
    of_sample = {pair for pair in pairs if pair[0] < n_sample}
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}",
        "pool": n_pool,
        "new": n_new,
        "seconds": round(seconds, 1),
        "processor_seconds": round(cpu, 1),
        "index_mb": round(of_index),
        "most_mb": round(most),
        "planted": len(near),
        "recall": {
            name: [sum((planted[p], p) in pairs for p in those), len(those)]
            for name, (low, high) in bands.items()
            for those in [[p for p in near if low <= alike[p] < high]]
        },
        "pairs": len(pairs),
        "brute_force": {
            "of": n_sample,
            "seconds": round(brute, 1),
            "seconds_for_the_pool": round(brute * n_pool / n_sample),
            "processor_seconds_for_the_pool": round(brute_cpu * n_pool / n_sample),
            "pairs": len(there),
            "found_of_them": len(there & of_sample),
            "found_beyond_them": len(of_sample - there),
        },
        "times_less_processor_time": round(brute_cpu * n_pool / n_sample / cpu),
    }


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=int, default=1_000_000)
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--sample", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.pool, asked.new, min(asked.sample, asked.pool))
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
