"""How long it takes to find the near-duplicates of 10,000 new texts in a pool of 1,000,000.

   python -m benchmarks.near_duplicates [--pool 1000000] [--new 10000] [--sample 10000] [--json]

Texts are generated, seeded: 8 to 24 of 30,000 made-up words, drawn by Zipf's law; every tenth is
one of 1,000 phrases with at most one word changed, since ads repeat themselves. A tenth of the new
texts is planted: a text of the pool with up to a fifth of its words changed. Those whose words
have a Jaccard similarity of at least 0.8 with it should be found.

The baseline is exact and has no index: it compares every new text with each of the first `sample`
pool texts, by a product of sparse matrices (scipy). Its time is proportional to the size of the
pool and extrapolated to it. It also shows which pairs of the sample should be found. Generating
texts is not timed. Memory is the growth of the process. On a busy machine, compare processor
seconds.
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


def draw_words(rng: np.random.Generator, n: int) -> Any:
    """Draws n numbers of words, by Zipf's law."""
    return np.minimum(np.searchsorted(LIMITS, rng.random(n)), len(WORDS) - 1)


def change_words(rng: np.random.Generator, text: Any, n: int) -> Any:
    """A copy of the text with other words in n places."""
    text = text.copy()
    text[rng.permutation(len(text))[:n]] = rng.integers(0, len(WORDS), min(n, len(text)))
    return text


def random_texts(rng: np.random.Generator, n: int) -> Numbers:
    """n texts of random words."""
    lengths = rng.integers(8, 25, n)
    return np.split(draw_words(rng, lengths.sum()), np.cumsum(lengths)[:-1])


def pool_chunk(number: int, n: int) -> Numbers:
    """The first n texts of a chunk of the pool, the same at every call."""
    rng = np.random.default_rng([1, number])
    phrases = random_texts(np.random.default_rng(0), PHRASES)
    texts = random_texts(rng, n)
    for i in range(0, n, 10):
        texts[i] = change_words(rng, phrases[rng.integers(PHRASES)], int(rng.integers(2)))
    return texts


def to_strings(texts: Numbers) -> list[str]:
    """The texts as strings."""
    return [" ".join(WORDS[text]) for text in texts]


def pool_texts(n: int) -> Iterator[list[str]]:
    """The n texts of the pool, a chunk at a time."""
    for number, start in enumerate(range(0, n, CHUNK_ROWS)):
        yield to_strings(pool_chunk(number, min(CHUNK_ROWS, n - start)))


def new_texts(n: int, n_pool: int, sample: int) -> tuple[list[str], dict[int, int]]:
    """n new texts, and the pool row that each planted one was made from, by position. Half of these
    rows are in the sample."""
    rng = np.random.default_rng(2)
    new, planted = random_texts(rng, n), {}
    rows = [int(rng.integers(sample if i % 2 else n_pool)) for i in range(n // 10)]
    chunks = dict.fromkeys(sorted({row // CHUNK_ROWS for row in rows}))
    originals: dict[int, Any] = {}
    for number in chunks:
        texts = pool_chunk(number, min(CHUNK_ROWS, n_pool - number * CHUNK_ROWS))
        originals |= {row: texts[row % CHUNK_ROWS] for row in rows if row // CHUNK_ROWS == number}
    for i, row in enumerate(rows):
        text = originals[row]
        new[i * 10] = change_words(rng, text, int(rng.integers(0, len(text) // 5 + 1)))
        planted[i * 10] = row
    return to_strings(new), planted


def likeness(a: str, b: str) -> float:
    """Jaccard similarity of the sets of words."""
    x, y = set(words(a)), set(words(b))
    return len(x & y) / len(x | y)


def measure_time(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, wall-clock seconds, processor seconds) of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def memory_mb() -> float:
    """The memory of this process, in MB."""
    return float(psutil.Process().memory_info().rss) / 2**20


def exact_pairs(new: list[str], old: list[str]) -> set[tuple[int, int]]:
    """(position in `old`, position in `new`) of all near-duplicates."""
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    x, y = (_matrix(texts, numbers) for texts in (new, old))
    width = len(numbers)
    x.resize(len(new), width)
    y.resize(len(old), width)
    sizes = np.asarray(x.sum(axis=1)).ravel()
    transposed, pairs = x.T.tocsc(), set()
    for start in range(0, len(old), 500):
        shared = (y[start : start + 500] @ transposed).tocoo()
        either = sizes[shared.col] + np.asarray(y.sum(axis=1)).ravel()[start + shared.row]
        near = shared.data >= ALIKE * (either - shared.data)
        pairs |= set(
            zip((start + shared.row[near]).tolist(), shared.col[near].tolist(), strict=True)
        )
    return pairs


def _matrix(texts: list[str], numbers: dict[str, int]) -> sparse.csr_matrix:
    sets = [{numbers[word] for word in words(text)} for text in texts]
    ends = np.cumsum([0, *map(len, sets)])
    columns = np.array([number for text_numbers in sets for number in sorted(text_numbers)])
    return sparse.csr_matrix(
        (np.ones(len(columns), np.int32), columns, ends), shape=(len(texts), len(numbers))
    )


def measure(n_pool: int, n_new: int, n_sample: int) -> dict[str, Any]:
    """All figures, by name."""
    new, planted = new_texts(n_new, n_pool, n_sample)
    index, before = NearDuplicates(), memory_mb()
    _, seconds, cpu = measure_time(lambda: index.add(new))
    index_mb, peak_mb = memory_mb() - before, 0.0
    pairs: set[tuple[int, int]] = set()
    alike: dict[int, float] = {}
    sample: list[str] = []
    start, console = 0, Console(stderr=True)
    for texts in track(pool_texts(n_pool), total=-(-n_pool // CHUNK_ROWS), console=console):
        matches, wall, used = measure_time(partial(list, index.similar_pairs(texts)))
        seconds, cpu, peak_mb = seconds + wall, cpu + used, max(peak_mb, memory_mb() - before)
        pairs |= {(start + position, number) for position, number in matches}
        for position, row in planted.items():
            if start <= row < start + len(texts):
                alike[position] = likeness(texts[row - start], new[position])
        sample += texts[: max(0, n_sample - start)]
        start += len(texts)
    exact, brute, brute_cpu = measure_time(lambda: exact_pairs(new, sample))
    near = {position for position, value in alike.items() if value >= ALIKE}
    bands = {"0.8 to 0.9": (0.8, 0.9), "0.9 to 1": (0.9, 1.0), "the same words": (1.0, 1.1)}
    sample_pairs = {pair for pair in pairs if pair[0] < n_sample}
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}",
        "pool": n_pool,
        "new": n_new,
        "seconds": round(seconds, 1),
        "processor_seconds": round(cpu, 1),
        "index_mb": round(index_mb),
        "most_mb": round(peak_mb),
        "planted": len(near),
        "recall": {
            name: [sum((planted[p], p) in pairs for p in positions), len(positions)]
            for name, (low, high) in bands.items()
            for positions in [[p for p in near if low <= alike[p] < high]]
        },
        "pairs": len(pairs),
        "brute_force": {
            "of": n_sample,
            "seconds": round(brute, 1),
            "seconds_for_the_pool": round(brute * n_pool / n_sample),
            "processor_seconds_for_the_pool": round(brute_cpu * n_pool / n_sample),
            "pairs": len(exact),
            "found_of_them": len(exact & sample_pairs),
            "found_beyond_them": len(sample_pairs - exact),
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
    arguments = parser.parse_args()
    figures = measure(arguments.pool, arguments.new, min(arguments.sample, arguments.pool))
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
