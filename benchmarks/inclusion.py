"""Whether the inclusion probabilities are right: Σ 1/p over the drawn items, against their frame.

    python -m benchmarks.inclusion [--campaigns 1000]

Campaigns are simulated with the service's own code: `choose_batch` composes each batch, and
`Design` carries on what was drawn. A strategy takes the items with the highest score, which is what
the sums must not notice. In between ads are added to the pool, and one round is cancelled. If the
probabilities are right, then Σ 1/p over the drawn items of an arm is on average the number of items
that the arm could draw, and Σ y/p the number of positives among them; both are given as ratios to
the true number, which must be 1.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Arm, Batch, Candidates, Frame, Quota
from biasloop.domain.learning import Scores
from biasloop.domain.measure.design import Design, Draw
from biasloop.rounds.steps.select import choose_batch

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
ARMS = (Arm.AUDIT, Arm.RANDOM_TRAIN)


class Highest:
    """The strategy: the candidates with the highest scores."""

    needs = frozenset({"proba"})

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """The n highest."""
        return np.sort(np.argsort(-scores.arrays["proba"][:, 0], kind="stable")[:n])


@dataclass(frozen=True)
class Pool:
    """A pool: the ad of each item, whether its ads are audit ads, its score by which a strategy
    chooses, whether it is positive, and how much of the pool there is in each round."""

    ads: Rows
    audit: NDArray[np.bool_]
    score: Array
    positive: NDArray[np.bool_]
    shares: tuple[float, ...]

    @classmethod
    def make(cls, ads: int, per_ad: int, shares: tuple[float, ...]) -> "Pool":
        """`ads` ads of 1 to 2 * per_ad items each, one in five for audit; 5 % are positive, mostly
        those with high scores."""
        rng = np.random.default_rng(ads)
        of_item = np.repeat(np.arange(ads), rng.integers(1, 2 * per_ad + 1, ads))
        score = rng.random(len(of_item))
        positive = rng.random(len(of_item)) < 0.1 * score
        return cls(of_item, (rng.random(ads) < 0.2)[of_item], score, positive, shares)

    @classmethod
    def small(cls) -> "Pool":
        """Some 250 items, half of which are asked about; half of the ads come later."""
        return cls.make(80, 3, (0.5, 0.5, 1.0))

    @classmethod
    def long_ads(cls) -> "Pool":
        """Ten long ads, whose items get smaller chances, because an ad has at most three items in a
        batch."""
        return cls.make(10, 20, (1.0,))

    @classmethod
    def usual(cls) -> "Pool":
        """Some 5,000 items; a third of the ads come later."""
        return cls.make(1000, 5, (0.67, 0.67, 0.67, 1.0))


@dataclass(frozen=True)
class Sums:
    """Of each campaign: Σ 1/p over the drawn items of an arm, and Σ y/p, as ratios to the true
    numbers, and the number of items drawn."""

    ratio: Array
    positives: Array
    drawn: Array


def simulate_sums(pool: Pool, campaigns: int, rounds: int, seed: int) -> dict[str, Sums]:
    """By arm, and for both together ("pool")."""
    outcomes = [_campaign(pool, rounds, [seed, number]) for number in range(campaigns)]
    return {
        name: Sums(*np.array([outcome[name] for outcome in outcomes]).T) for name in outcomes[0]
    }


def _campaign(pool: Pool, rounds: int, seeds: list[int]) -> Mapping[str, tuple[float, float, int]]:
    n = len(pool.ads)
    names = np.arange(n).astype(str)
    busy = np.zeros(n, dtype=bool)
    draws: dict[Arm, list[Draw]] = {arm: [] for arm in ARMS}
    quota = Quota(acquisition=12, audit=8, random_train=5)
    for number in range(rounds):
        rows = int(n * pool.shares[min(number, len(pool.shares) - 1)])
        batch = choose_batch(
            _frame(pool, Arm.RANDOM_TRAIN, names, rows, busy, draws[Arm.RANDOM_TRAIN]),
            _frame(pool, Arm.AUDIT, names, rows, busy, draws[Arm.AUDIT]),
            quota,
            Highest(),
            (lambda chosen: _scores(pool, chosen)) if number else None,
            max_per_ad=3,
            seeds=[*seeds, number],
        )
        if number == 2:
            continue  # this round is cancelled before anybody answers
        _record(batch, busy, draws)
    designs = {arm: Design.from_draws(draws[arm], n) for arm in ARMS}
    sums = {arm: _sums(pool, design) for arm, design in designs.items()}
    totals = np.sum(list(sums.values()), axis=0)
    return {
        str(name): (total[0] / total[2], total[1] / max(1, total[3]), int(total[4]))
        for name, total in [*sums.items(), ("pool", totals)]
    }


def _frame(
    pool: Pool,
    arm: Arm,
    names: NDArray[np.str_],
    rows: int,
    busy: NDArray[np.bool_],
    draws: list[Draw],
) -> Frame:
    of_arm = np.flatnonzero(pool.audit[:rows] == (arm is Arm.AUDIT))
    ids = names[of_arm]
    design = Design.from_draws(draws, rows)
    return Frame(
        Candidates(of_arm, ids, ids, pool.ads[of_arm].astype(str)),
        free=~busy[of_arm],
        before=design.chance[of_arm],
        drawn=design.drawn[of_arm],
        sizes=np.ones(len(of_arm)),
    )


def _scores(pool: Pool, rows: Rows) -> Scores:
    proba = np.column_stack([pool.score[rows], 1 - pool.score[rows]]).astype(np.float32)
    known = np.array([[0, 1], [1, 0]], np.int8)
    return Scores({"proba": proba}, np.full(2, 0.5, np.float32), True, {}, known)


def _record(batch: Batch, busy: NDArray[np.bool_], draws: dict[Arm, list[Draw]]) -> None:
    for draw in batch.draws:
        draws[Arm(draw.arm)].append(draw)
    busy[[selection.row for selection in batch.selections]] = True


def _sums(pool: Pool, design: Design) -> Array:
    """Σ 1/p, Σ y/p, the size of the frame, its positives, and how many were drawn."""
    frame = design.chance > 0
    weights = design.drawn[frame] / design.chance[frame]
    positive = pool.positive[frame]
    return np.array(
        [weights.sum(), weights @ positive, frame.sum(), positive.sum(), design.drawn.sum()]
    )


def main() -> None:
    """Prints a table, or with --json a line per row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.json:
        print("| pool | arm | drawn | Σ 1/p ÷ items | Σ y/p ÷ positives |")
        print("| --- | --- | --- | --- | --- |")
    for kind in ("usual", "small", "long_ads"):
        sums = simulate_sums(getattr(Pool, kind)(), options.campaigns, options.rounds, seed=0)
        for arm, sums_of_arm in sums.items():
            means = [
                (float(values.mean()), 1.96 * float(values.std()) / len(values) ** 0.5)
                for values in (sums_of_arm.ratio, sums_of_arm.positives)
            ]
            drawn = round(float(sums_of_arm.drawn.mean()))
            if options.json:
                line = {"pool": kind, "arm": arm, "drawn": drawn, "means": means}
                print(json.dumps(line))
            else:
                cells = [f"{mean:.4f} ± {error:.4f}" for mean, error in means]
                print(f"| {kind} | {arm} | {drawn} | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    main()
