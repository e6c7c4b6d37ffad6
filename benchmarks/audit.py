"""Error and coverage of audit figures whose items were drawn with unequal chances.

    python -m benchmarks.audit [--campaigns 1000] [--labels 200]

Made pools of 5,000 audit items in ads of five. An item has a label if a score exceeds a limit; the
model that is judged sees a part of that score, so its probabilities are calibrated, and flags where
that makes F1 highest. 200 items are drawn in three draws, by the service's own code
(`domain.measure.design`), with chances from the model itself, from an older one (calibrated, worse,
and with mistakes of its own), from a useless one (calibrated: nearly the same probability for
all), from a wrong one (as sure as the model itself, of items at random; calibration out of fold
keeps the service's models from that), and for comparison uniformly. Error is the
root mean square distance of F1 from that of the whole pool. Intervals are those of
`domain.measure.weighted`; how many hold the truth is counted among those that are shown (enough
effective positives), and among all.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from biasloop.domain.measure.design import (
    Design,
    Draw,
    audit_sizes,
    draw_chances,
    draw_positions,
)
from biasloop.domain.measure.metric import MIN_POSITIVES, LabelQuality
from biasloop.domain.measure.weighted import evaluate_weighted

Array = NDArray[np.float64]

ITEMS, PER_AD, DRAWS, MAX_PER_AD = 5_000, 5, 3, 3
POPULATIONS = 10
SEEN = {"good": 0.95, "poor": 0.75}
"""How much of an item's score a model sees (as a correlation)."""
OLDER = 0.8
"""Correlation of what an older model sees with what the present one sees."""
USELESS = 0.1
"""How much a useless model thinks that it sees of the score."""
SOURCES = ("present", "older", "useless", "wrong")


@dataclass(frozen=True)
class Population:
    """A pool: the ad of each item, the truth (n, k), and by source of chances the probabilities and
    flags (n, k); those of "present" are judged."""

    ads: NDArray[np.int64]
    truth: NDArray[np.int8]
    proba: dict[str, Array]
    flags: dict[str, NDArray[np.bool_]]

    @classmethod
    def make(cls, prevalence: float, seen: float, labels: int, seed: int) -> "Population":
        """A pool whose labels all have this prevalence."""
        rng = np.random.default_rng([seed, labels, round(1000 * prevalence)])
        ads = np.arange(ITEMS) // PER_AD
        shape = (ITEMS, labels)

        def score(alike: float) -> Array:
            of_ad = rng.normal(size=(ITEMS // PER_AD, labels))[ads]
            own = rng.normal(size=shape)
            return np.asarray(np.sqrt(alike) * of_ad + np.sqrt(1 - alike) * own)

        limit = norm.isf(prevalence)
        seen_part, noise = score(0.3), score(0.3)
        truth = seen * seen_part + np.sqrt(1 - seen**2) * score(0.0) > limit
        older_part = OLDER * seen_part + np.sqrt(1 - OLDER**2) * noise
        proba = {
            "present": norm.cdf((seen * seen_part - limit) / np.sqrt(1 - seen**2)),
            "older": norm.cdf(
                (seen * OLDER * older_part - limit) / np.sqrt(1 - (seen * OLDER) ** 2)
            ),
            "useless": norm.cdf((USELESS * score(0.3) - limit) / np.sqrt(1 - USELESS**2)),
            "wrong": norm.cdf((seen * score(0.3) - limit) / np.sqrt(1 - seen**2)),
        }
        flags = {
            name: np.column_stack([_best_flags(column) for column in p.T])
            for name, p in proba.items()
        }
        return cls(ads, truth.astype(np.int8), proba, flags)

    @property
    def f1(self) -> Array:
        """The F1 of the present model, by label."""
        flags, yes = self.flags["present"], self.truth == 1
        f1: Array = 2 * (flags & yes).sum(axis=0) / (flags.sum(axis=0) + yes.sum(axis=0))
        return f1

    def sizes(self, source: str) -> Array:
        """The relative chances by a source; equal ones for "uniform"."""
        if source == "uniform":
            return np.ones(ITEMS)
        return audit_sizes(self.proba[source], self.flags[source])


def _best_flags(proba: Array) -> NDArray[np.bool_]:
    order = np.sort(proba)[::-1]
    expected = 2 * np.cumsum(order) / (np.arange(1, len(order) + 1) + order.sum())
    flags: NDArray[np.bool_] = proba >= order[expected.argmax()]
    return flags


@dataclass(frozen=True)
class Outcome:
    """Of each campaign and label: F1 minus the truth (NaN where it is undefined), whether the
    interval holds the truth, and the effective positives; all (c, k)."""

    error: Array
    held: Array
    effective: Array

    @property
    def rms(self) -> float:
        """The mean over the labels of the root mean square error."""
        return float(np.sqrt(np.nanmean(self.error**2, axis=0)).mean())

    def coverage(self, least: float) -> tuple[float, int]:
        """The share of intervals that hold the truth, of those with at least this many effective
        positives, and their number."""
        counted = self.held[(self.effective >= least) & np.isfinite(self.error)]
        return (float(counted.mean()) if len(counted) else np.nan), len(counted)


def simulate_audits(
    populations: list[Population], source: str, campaigns: int, labels: int, seed: int
) -> Outcome:
    """Audits of the present model with chances from `source`, or "uniform"."""
    errors, held, effective = [], [], []
    for number, population in enumerate(populations):
        chances = list(_chances(population, population.sizes(source), labels))
        truth = population.f1
        for campaign in range(campaigns // len(populations)):
            rng = np.random.default_rng([seed, number, campaign])
            report = _audit(population, chances, rng)
            cells = list(zip((cell.f1 for cell in report.values()), truth, strict=True))
            errors.append([np.nan if f1 is None else f1.value - real for f1, real in cells])
            held.append([f1 is not None and f1.low <= real <= f1.high for f1, real in cells])
            effective.append([cell.effective or 0.0 for cell in report.values()])
    return Outcome(np.array(errors), np.array(held), np.array(effective))


def _chances(population: Population, sizes: Array, labels: int) -> Iterator[Array]:
    before: Array = np.zeros(ITEMS)
    for number in range(DRAWS):
        wanted = labels // DRAWS + (number < labels % DRAWS)
        chances = draw_chances(sizes, before, population.ads, wanted, MAX_PER_AD)
        before = 1 - (1 - before) * (1 - chances)
        yield chances


def _audit(
    population: Population, chances: list[Array], rng: np.random.Generator
) -> dict[str, LabelQuality]:
    rows = np.arange(ITEMS)
    draws = [
        Draw.from_frame("audit", rows, p, draw_positions(p, population.ads, rng)) for p in chances
    ]
    design = Design.from_draws(draws, ITEMS)
    drawn = design.drawn
    return dict(
        evaluate_weighted(
            population.truth[drawn],
            population.proba["present"][drawn],
            population.flags["present"][drawn],
            population.ads[drawn].astype(str),
            [str(label) for label in range(population.truth.shape[1])],
            1 / design.chance[drawn],
            multi=True,
            min_positives=0,
        ).labels
    )


def main() -> None:
    """Prints a table, or with --json a line per row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=200, help="audit labels of a campaign")
    parser.add_argument("--prevalence", type=float, nargs="*", default=(0.02, 0.05, 0.2))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.json:
        print("| prevalence, model (F1), labels | chances | error | ÷ uniform | ", end="")
        print("effective positives | held, shown | held, all |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
    for prevalence in options.prevalence:
        for model, seen in SEEN.items():
            for labels in (1, 10):
                populations = [
                    Population.make(prevalence, seen, labels, seed) for seed in range(POPULATIONS)
                ]
                report_setting(populations, f"{prevalence:.0%}, {model}", labels, options)


def report_setting(
    populations: list[Population], name: str, labels: int, options: argparse.Namespace
) -> None:
    """Prints the rows of one kind of pool, uniform chances first."""
    f1 = float(np.mean([population.f1 for population in populations]))
    uniform = None
    for source in ("uniform", *SOURCES):
        outcome = simulate_audits(populations, source, options.campaigns, options.labels, seed=0)
        uniform = uniform or outcome.rms
        shown, n_shown = outcome.coverage(MIN_POSITIVES)
        held, _ = outcome.coverage(0)
        ratio = outcome.rms / uniform
        effective = float(np.median(outcome.effective))
        if options.json:
            keys = ("setting", "labels", "source", "error", "ratio", "effective", "held")
            values = (name, labels, source, outcome.rms, ratio, effective, held)
            print(json.dumps(dict(zip(keys, values, strict=True)) | {"shown": n_shown}))
            continue
        cell = f"{shown:.3f} ({n_shown / outcome.error.size:.0%})" if n_shown else "none"
        print(
            f"| {name} ({f1:.2f}), {labels} | {source} | {outcome.rms:.3f} | {ratio:.2f} "
            f"| {effective:.0f} | {cell} | {held:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
