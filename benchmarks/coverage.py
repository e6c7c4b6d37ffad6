"""How often the intervals that the service gives for the value of acquired labels cover the truth.

    python -m benchmarks.coverage [--campaigns 1000]

Whole campaigns are simulated, with a learner that fits in microseconds: points in five dimensions,
drawn in ads of two or three that are alike, a label for one in five or six, least squares. Rounds
of 20 labels come from a pool of 1,500 points, three of them at random, the others by smallest
margin (or, as a check, at random too). The truth of a campaign is known: how models on its first
acquired labels score on 10,000 points of fresh ads, and how models on labels drawn at random score
there on average of 4,000 draws. `biasloop.domain.measure.savings` sees none of it, but 100 audited
ads.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from biasloop.domain.measure.curve import labels_saved
from biasloop.domain.measure.metric import micro_f1
from biasloop.domain.measure.savings import Savings, SavingsPlan, estimate_savings

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

WEIGHTS = np.array([1.0, 1.0, 0.5, 0.5, 0.0])
BATCH, RANDOM_SHARE, POOL_ADS = 20, 0.15, 500
RESAMPLES = 300


@dataclass(frozen=True)
class Points:
    """n points: `x` (n, 6) with a constant, `y` (n,) whether they have the label, and their ad."""

    x: Array
    y: NDArray[np.bool_]
    ad: Rows


def draw_ads(rng: np.random.Generator, ads: int, per_ad: int, rarity: float) -> Points:
    """Fresh ads; a point has the label where a noisy score exceeds `rarity`."""
    alike = rng.normal(size=(ads, 1, len(WEIGHTS))) * 0.5
    own = rng.normal(size=(ads, per_ad, len(WEIGHTS))) * np.sqrt(0.75)
    x = (alike + own).reshape(-1, len(WEIGHTS))
    y = x @ WEIGHTS + 0.8 * rng.normal(size=len(x)) > rarity
    return Points(np.c_[x, np.ones(len(x))], y, np.repeat(np.arange(ads), per_ad))


def fit(points: Points, rows: list[Rows]) -> Array:
    """Ridge regression on each of m sets of rows, yes and no weighing the same: (m, 6)."""
    used, position = np.unique(np.concatenate(rows), return_inverse=True)
    chosen = np.zeros((len(rows), len(used)))  # the other points would weigh nothing
    chosen[
        np.repeat(np.arange(len(rows)), [len(chosen_rows) for chosen_rows in rows]), position
    ] = 1
    x, y = points.x[used], points.y[used]
    yes = chosen @ y
    no = chosen.sum(axis=1) - yes
    balance = np.where(y, 1 / np.maximum(yes, 1)[:, None], 1 / np.maximum(no, 1)[:, None])
    weights = chosen * balance * (yes + no)[:, None] / 2
    target = np.where(y, 1.0, -1.0)
    d = x.shape[1]
    squares = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    left = (weights @ squares).reshape(-1, d, d) + np.eye(d)
    right = weights @ (x * target[:, None])
    models: Array = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return models


def f1(points: Points, models: Array) -> Array:
    """The F1 of each of m models on all points, (m,)."""
    flags = models @ points.x.T > 0
    right = (flags & points.y).sum(axis=1)
    scores: Array = 2 * right / (flags.sum(axis=1) + points.y.sum())
    return scores


def simulate_campaign(
    rng: np.random.Generator, pool: Points, labels: int, acquire: bool
) -> tuple[Rows, Rows]:
    """`labels` acquired rows and as many random ones, in the order in which they were labelled."""
    free = np.ones(len(pool.x), bool)
    random: list[int] = []
    acquired: list[int] = []

    def take(arm: list[int], rows: Rows) -> None:
        arm += rows.tolist()
        free[rows] = False

    at_random = max(1, round(RANDOM_SHARE * BATCH))
    while len(random) < labels:
        take(random, rng.choice(np.flatnonzero(free), at_random, replace=False))
        if len(acquired) >= labels:
            continue
        known, candidates = np.array(random + acquired), np.flatnonzero(free)
        if acquire and 0 < pool.y[known].sum() < len(known):
            margin = np.abs(pool.x[candidates] @ fit(pool, [known])[0])
            take(acquired, candidates[np.argsort(margin)[: BATCH - at_random]])
        else:
            take(acquired, rng.choice(candidates, BATCH - at_random, replace=False))
    return np.array(acquired[:labels]), np.array(random[:labels])


@dataclass(frozen=True)
class Setting:
    """Campaigns of one kind: `labels` in each arm, `acquire`d by margin or at random, curves of
    `steps` points and `draws` random draws, `ads` audited."""

    labels: int
    acquire: bool = True
    steps: int = 8
    draws: int = 10
    ads: int = 100
    rarity: float = 1.6


@dataclass(frozen=True)
class Outcome:
    """What was estimated in one campaign, and what is true of it at each number of labels (t,)."""

    savings: Savings
    acquired: Array
    random: Array

    def difference_covered(self) -> NDArray[np.bool_]:
        """Whether each interval of the difference covers the truth, (t,)."""
        truth = self.acquired - self.random
        points = [p.difference for p in self.savings.points]
        return np.array([p.low <= d <= p.high for p, d in zip(points, truth, strict=True)])

    def saved_covered(self) -> bool | None:
        """Whether the interval of the labels saved covers the truth; None if none was given."""
        if self.savings.saved is None:
            return None
        budgets = np.array([p.labels for p in self.savings.points])
        truth = labels_saved(budgets, self.acquired, self.random)
        return bool(self.savings.saved.low <= truth <= self.savings.saved.high)


def simulate_outcomes(setting: Setting, campaigns: int, seed: int = 0) -> Iterator[Outcome]:
    """Simulates and estimates."""
    rng = np.random.default_rng([seed, setting.labels])
    fresh = draw_ads(rng, 5000, 2, setting.rarity)
    plan = SavingsPlan.from_label_count(setting.labels, setting.steps, setting.draws, seed)
    truth = mean_scores(rng, fresh, plan, setting.rarity)
    t = setting.steps
    for number in range(campaigns):
        pool = draw_ads(rng, POOL_ADS, 3, setting.rarity)
        audit = draw_ads(rng, setting.ads, 2, setting.rarity)
        acquired, random = simulate_campaign(rng, pool, setting.labels, setting.acquire)
        models = fit(
            pool, [acquired[r] for r in plan.acquired()] + [random[r] for r in plan.random()]
        )
        flags = (models @ audit.x.T > 0)[:, :, None]
        ads = audit.ad.astype(str)
        scores = micro_f1(
            audit.y[:, None].astype(np.int8), list(flags), ads, seed=number, resamples=RESAMPLES
        )
        witnesses = len(np.unique(audit.ad[audit.y]))
        savings = estimate_savings(
            plan, scores[:, :t], plan.curves(scores[:, t:]), witnesses, number
        )
        yield Outcome(savings, f1(fresh, models[:t]), truth)


def mean_scores(rng: np.random.Generator, fresh: Points, plan: SavingsPlan, rarity: float) -> Array:
    """What models score that learn from labels drawn at random, over 4,000 draws, (t,)."""
    scores = []
    for _ in range(200):
        pool = draw_ads(rng, POOL_ADS, 3, rarity)
        orders = [rng.permutation(len(pool.x)) for _ in range(20)]
        models = fit(pool, [order[:b] for order in orders for b in plan.budgets])
        scores.append(f1(fresh, models).reshape(len(orders), -1))
    mean: Array = np.concatenate(scores).mean(axis=0)
    return mean


SETTINGS = (
    Setting(40),
    Setting(80),
    Setting(160),
    Setting(320),
    Setting(80, acquire=False),
    Setting(160, acquire=False),
    Setting(80, ads=300),
    Setting(80, ads=50, rarity=1.0),
    Setting(80, steps=2, draws=4),
    Setting(160, steps=2, draws=4),
)


def share(covered: Sequence[bool]) -> str:
    """The share that is true, with its exact binomial 95 % interval (Clopper and Pearson)."""
    test = binomtest(sum(covered), len(covered))
    low, high = test.proportion_ci(0.95)
    return f"{test.statistic:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--campaigns", type=int, default=1000)
    campaigns = parser.parse_args().campaigns
    print(
        "| campaigns | mean width | difference at B | at fewer labels | saved: estimable | held |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for setting in SETTINGS:
        outcomes = list(simulate_outcomes(setting, campaigns))
        covered = np.array([o.difference_covered() for o in outcomes])
        fewer = covered[:, :-1].mean(axis=0)
        last = [o.savings.points[-1].difference for o in outcomes]
        saved = [bool(o.saved_covered()) for o in outcomes if o.savings.saved]
        cells = (
            str(setting),
            f"{np.mean([d.high - d.low for d in last]):.2f}",
            share(covered[:, -1].tolist()),
            f"{fewer.min():.3f} to {fewer.max():.3f}",
            f"{len(saved) / campaigns:.2f}",
            share(saved),
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
