"""Labelled data made for the tests, of which we know what a strategy can save."""

from pathlib import Path

import numpy as np

from biasloop.domain.label import Scheme
from biasloop.simulate.gold import Gold, Texts
from support.cli import write_jsonl

TOPICS = 30
CLASSES = ("no", "yes")


def words(rng: np.random.Generator, count: int) -> list[str]:
    """Made-up words, all different."""
    letters = np.array(list("bcdfglmnprstvz"))
    vowels = np.array(list("aeiou"))
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = zip(rng.choice(letters, 3), rng.choice(vowels, 3), strict=True)
        found["".join(c + v for c, v in syllables)] = None
    return list(found)


def topics(rng: np.random.Generator, rows: int, *, skewed: bool) -> list[dict[str, str]]:
    """Texts of one topic each, whose word says the class. Skewed, most are of a few topics."""
    names = words(np.random.default_rng(7), TOPICS + 40)
    weights = 1 / np.arange(1, TOPICS + 1) ** 2 if skewed else np.ones(TOPICS)
    drawn = rng.choice(TOPICS, rows, p=weights / weights.sum())
    return [
        {
            "text": " ".join([names[topic], *rng.choice(names[TOPICS:], 3), str(n)]),
            "label": CLASSES[topic % 2],
        }
        for n, topic in enumerate(drawn)
    ]


def rare_topics() -> Gold:
    """Random asks about the same few topics again and again; the test is about all of them."""
    rng = np.random.default_rng(0)
    return gold(topics(rng, 500, skewed=True), topics(rng, 200, skewed=False))


def coin_tosses() -> Gold:
    """Labels that have nothing to do with the texts."""
    rng = np.random.default_rng(1)
    rows = topics(rng, 600, skewed=False)
    tossed = [row | {"label": str(rng.choice(CLASSES))} for row in rows]
    return gold(tossed[:400], tossed[400:])


def gold(pool: list[dict[str, str]], test: list[dict[str, str]]) -> Gold:
    """Rows of a single-label scheme."""
    scheme = Scheme(CLASSES, multi=False)

    def part(rows: list[dict[str, str]]) -> Texts:
        labels = scheme.encode([[row["label"]] for row in rows])
        return Texts(tuple(row["text"] for row in rows), labels)

    return Gold(scheme, part(pool), part(test))


def write_files(folder: Path, rows: int = 120) -> tuple[Path, Path]:
    """A pool and a test file."""
    rng = np.random.default_rng(2)
    pool = write_jsonl(folder / "pool.jsonl", *topics(rng, rows, skewed=True))
    return pool, write_jsonl(folder / "test.jsonl", *topics(rng, 60, skewed=False))
