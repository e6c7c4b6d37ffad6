"""Majority or Dawid-Skene: which finds the truth when annotators disagree?

`python -m benchmarks.votes` from the repository root. Two parts:

- test cases with three votes each and a label given by who wrote them (../shared/data/votes);
- simulated annotators of known quality, where the truth is certain.

A random arm takes one of the votes. Intervals are 95 %.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.votes.dawid_skene import fit_dawid_skene

VOTES = Path("../shared/data/votes/multilingual_hatecheck_it.jsonl")
SEEDS = 50
ITEMS = 400
RARE = 0.1
RESAMPLES = 1000

Rows = NDArray[np.intp]
Rule = Callable[[Rows, Rows, Rows, np.random.Generator], NDArray[np.bool_]]
"""From items, people and votes (0 or 1), each (m,), to a verdict per item."""


def one_vote(
    items: Rows, annotators: Rows, votes: Rows, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """One of the votes, at random."""
    order = rng.permutation(len(items))
    _, first = np.unique(items[order], return_index=True)
    verdicts: NDArray[np.bool_] = votes[order][first] == 1
    return verdicts


def majority(
    items: Rows, annotators: Rows, votes: Rows, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Half of the votes or more."""
    verdicts: NDArray[np.bool_] = np.bincount(items, votes) * 2 >= np.bincount(items)
    return verdicts


def reliability(
    items: Rows, annotators: Rows, votes: Rows, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Dawid-Skene."""
    return fit_dawid_skene(items, annotators, votes, 2).proba[:, 1] >= 0.5


RULES: dict[str, Rule] = {
    "one vote": one_vote,
    "majority": majority,
    "Dawid-Skene": reliability,
}


def accuracy(verdicts: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Share of items whose verdict is true."""
    return float((verdicts == truth).mean())


def f1(verdicts: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """F1 of the positive class; 1 when there is none and none was found."""
    total = verdicts.sum() + truth.sum()
    return float(2 * (verdicts & truth).sum() / total) if total else 1.0


def mean_with_interval(values: list[float]) -> str:
    """The mean of the values, with its 95 % bootstrap interval."""
    drawn = np.random.default_rng(0).choice(values, (RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


def report_recorded(path: Path) -> None:
    """The test cases. A vote's place in its row is taken for who gave it."""
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    truth = np.array([row["label"] == "hateful" for row in rows])
    votes = np.array([[vote == "hateful" for vote in row["votes"]] for row in rows]).astype(np.intp)
    n, places = votes.shape
    for place in range(places):
        print(f"vote {place + 1}: accuracy {(votes[:, place] == truth).mean():.3f}")
    items, people = np.repeat(np.arange(n), places), np.tile(np.arange(places), n)
    rng = np.random.default_rng(0)
    right = {name: rule(items, people, votes.ravel(), rng) == truth for name, rule in RULES.items()}
    drawn = rng.integers(0, n, (RESAMPLES, n))
    print(f"{n} test cases, {places} votes each")
    for name, hits in right.items():
        low, high = np.quantile(hits[drawn].mean(axis=1), [0.025, 0.975])
        print(f"| {name} | {hits.mean():.4f} [{low:.4f}, {high:.4f}] |")
    gain = right["Dawid-Skene"].astype(float) - right["majority"]
    low, high = np.quantile(gain[drawn].mean(axis=1), [0.025, 0.975])
    print(f"| Dawid-Skene over majority | {gain.mean():+.4f} [{low:+.4f}, {high:+.4f}] |")


def report_simulated(
    per_item: Callable[[np.random.Generator], Rows], crowd: str, people: int
) -> None:
    """`per_item` says how many votes each item gets."""
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in RULES}
    for seed in range(SEEDS):
        rng = np.random.default_rng([seed, people])
        truth = rng.random(ITEMS) < RARE
        sensitivity = rng.uniform(0.7, 0.95, people)  # positives seen
        specificity = rng.uniform(0.9, 0.99, people)  # negatives left alone
        if crowd == "one careless":
            sensitivity[0], specificity[0] = 0.5, 0.7
        counts = per_item(rng)
        items = np.repeat(np.arange(ITEMS), counts)
        annotators = np.concatenate([rng.permutation(people)[:count] for count in counts])
        good = rng.random(len(items)) < np.where(
            truth[items], sensitivity[annotators], specificity[annotators]
        )
        votes = np.where(good, truth[items], ~truth[items]).astype(np.intp)
        for name, rule in RULES.items():
            verdicts = rule(items, annotators, votes, rng)
            scores[name].append((accuracy(verdicts, truth), f1(verdicts, truth)))
    cells = [mean_with_interval([score[1] for score in scores[name]]) for name in RULES]
    gain = [b[1] - a[1] for a, b in zip(scores["majority"], scores["Dawid-Skene"], strict=True)]
    print("| " + " | ".join([*cells, mean_with_interval(gain)]) + " |")


def _each(count: int) -> Callable[[np.random.Generator], Rows]:
    return lambda rng: np.full(ITEMS, count)


def _campaign(rng: np.random.Generator) -> Rows:
    """Two votes on a fifth of the items, as on audit items; one on the rest."""
    return np.where(rng.random(ITEMS) < 0.2, 2, 1)


def main() -> None:
    """Prints both parts."""
    if VOTES.exists():
        report_recorded(VOTES)
    else:
        print(f"{VOTES.resolve()} is not there: the recorded votes are left out")
    print(f"\nSimulated: {ITEMS} items, {RARE:.0%} positive, F1, {SEEDS} seeds")
    for people in (3, 6):
        for crowd in ("all careful", "one careless"):
            for name, per_item in {
                "1 vote": _each(1),
                "1, a fifth 2": _campaign,
                "2 votes": _each(2),
                "3 votes": _each(3),
            }.items():
                print(f"| {people}, {crowd} | {name} ", end="")
                report_simulated(per_item, crowd, people)


if __name__ == "__main__":
    main()
