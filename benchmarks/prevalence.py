"""How often the intervals of `biasloop prevalence` cover the truth, and how wide they are.

    python -m benchmarks.prevalence [--campaigns 1000]

Whole campaigns are simulated: about 20,000 sentences in 1,000 ads, a fifth of them audit ads, of
which 400 sentences are audited in four draws, with equal chances or with chances that follow the
model (Sawade et al. 2010; 30 % of them equal). A model's score and something that it cannot see,
shared by the sentences of an ad, make the labels. Widths are compared with the exact interval
(Clopper and Pearson 1934) of 400 independent sentences without a model.
"""

import argparse
from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from biasloop.domain.measure.ad_share import bound_ads
from biasloop.domain.measure.prevalence import AuditedItems, Share, estimate_share

Array = NDArray[np.float64]

ADS, SENTENCES, AUDIT_ADS, LABELS, DRAWS, EQUAL = 1_000, 20, 0.2, 400, 4, 0.3
HUNTED, HUNTED_NOISE = 1_000, 0.5


@dataclass(frozen=True)
class Setting:
    """Campaigns of one kind: `skill` is how much of a sentence's log-odds the model sees, `alike`
    how much alike the sentences of an ad are in it, `hidden` what it does not see; it is `rash`
    (above 1: overconfident), and `blind` is the share of positives that it takes for others. A
    strategy that is `hunting` has had 1,000 labels for what the model gave most."""

    share: float
    skill: float = 3.0
    alike: float = 0.1
    hidden: float = 0.3
    rash: float = 1.2
    blind: float = 0.0
    hunting: bool = False


SETTINGS = {
    "rare (1 %)": Setting(0.01),
    "common (30 %)": Setting(0.3),
    "clustered ads (10 %)": Setting(0.1, skill=1.5, alike=0.2, hidden=1.0),
    "poor classifier (10 %)": Setting(0.1, skill=0.3, rash=2.0),
    "good classifier (5 %)": Setting(0.05, skill=6.0, rash=1.3),
    "good classifier (30 %)": Setting(0.3, skill=6.0, rash=1.3),
    "hunts positives (5 %)": Setting(0.05, hunting=True),
    "misses half (4 %)": Setting(0.04, skill=6.0, blind=0.5),
    "rare, poor classifier (1 %)": Setting(0.01, skill=0.3, rash=2.0),
}


@dataclass(frozen=True)
class Pool:
    """All sentences (N,): label, the model's probability, ad, and whether the ad is audited."""

    yes: NDArray[np.bool_]
    guess: Array
    ads: NDArray[np.int64]
    audit: NDArray[np.bool_]
    hunted: NDArray[np.int64]


def sigmoid(x: Array) -> Array:
    """The probabilities of these log-odds."""
    p: Array = 1 / (1 + np.exp(-x))
    return p


def make_pool(rng: np.random.Generator, setting: Setting) -> Pool:
    """The pool of one campaign."""
    sizes = 1 + rng.poisson(SENTENCES - 1, ADS)
    ads = np.repeat(np.arange(ADS), sizes)
    own, of_ad = rng.normal(size=len(ads)), rng.normal(size=(2, ADS))
    seen = setting.skill * (
        np.sqrt(setting.alike) * of_ad[0][ads] + np.sqrt(1 - setting.alike) * own
    )
    hidden = setting.hidden * of_ad[1][ads]
    low, high = -40.0, 10.0
    for _ in range(30):
        middle = (low + high) / 2
        above = sigmoid(middle + (seen + hidden)[:4_000]).mean() > setting.share
        low, high = (low, middle) if above else (middle, high)
    yes = rng.random(len(ads)) < sigmoid(middle + seen + hidden)
    guess = sigmoid(setting.rash * (middle + seen) / np.sqrt(1 + 0.35 * setting.hidden**2))
    missed = rng.choice(np.flatnonzero(yes), round(setting.blind * yes.sum()), replace=False)
    guess[missed] = guess[rng.choice(np.flatnonzero(~yes), len(missed))]
    audit = (rng.random(ADS) < AUDIT_ADS)[ads]
    hunted: NDArray[np.int64] = np.empty(0, np.int64)
    if setting.hunting:
        train = np.flatnonzero(~audit)
        hunted = train[np.argsort(-guess[train])[:HUNTED]]
        odds = np.log(guess[hunted] / (1 - guess[hunted]))  # out of fold: another, poorer model
        guess[hunted] = sigmoid(odds + HUNTED_NOISE * rng.normal(size=HUNTED))
    return Pool(yes, guess, ads, audit, hunted)


def draw_audit(
    rng: np.random.Generator, pool: Pool, equal: bool
) -> tuple[NDArray[np.int64], Array]:
    """The audited rows and the chance that each had over all draws."""
    rows = np.flatnonzero(pool.audit)
    per_draw = np.full(len(rows), 1 / len(rows))
    if not equal:
        p = pool.guess[rows]
        flagged = p >= 0.5
        f1 = 2 * (p * flagged).sum() / max(p.sum() + flagged.sum(), 1e-9)
        worth = np.where(
            flagged,
            np.sqrt(p * (1 - f1) ** 2 + (1 - p) * (f1 / 2) ** 2),
            np.sqrt(p) * f1 / 2,
        )
        worth += 1e-9
        per_draw = EQUAL * per_draw + (1 - EQUAL) * worth / worth.sum()
    chance = 1 - (1 - np.minimum(1, per_draw * LABELS / DRAWS)) ** DRAWS
    chance = np.minimum(1, chance * LABELS / chance.sum())
    drawn = rng.random(len(rows)) < chance
    return rows[drawn], chance[drawn]


def audited(pool: Pool, rows: NDArray[np.int64], chance: Array, **of_row: Array) -> AuditedItems:
    """These rows as an audit; `of_row` are weight and size of all rows of the pool."""
    weight, size = (of_row.get(name, np.ones(len(pool.yes)))[rows] for name in ("weight", "size"))
    return AuditedItems(pool.yes[rows], pool.guess[rows], chance, pool.ads[rows], weight, size)


def estimate_ads(pool: Pool, rows: NDArray[np.int64], chance: Array) -> tuple[Share, Share]:
    """The bounds of the share of ads."""
    bounds = bound_ads(pool.ads, pool.guess, pool.guess >= 0.5)
    total = bounds.size.sum()
    low, high = (
        estimate_share(
            audited(pool, rows, chance, weight=weight, size=bounds.size),
            float(weight @ pool.guess) / total,
            offset=offset,
        )
        for weight, offset in (
            (bounds.lower, 0.0),
            (bounds.upper, float(bounds.certain.sum()) / total),
        )
    )
    return low, high


def exact_width(share: float) -> float:
    """The width of the exact interval of LABELS independent sentences, as many positive as
    expected."""
    yes = round(share * LABELS)
    low = beta.ppf(0.025, yes, LABELS - yes + 1) if yes else 0.0
    return float(beta.ppf(0.975, yes + 1, LABELS - yes) - low)


@dataclass(frozen=True)
class Outcome:
    """One campaign: coverage and width are NaN where the share was not estimable."""

    covers: float
    width: float
    exact: float
    raw: float
    covers_ads: float
    gap_of_ads: float


def simulate(setting: Setting, equal: bool, campaigns: int, seed: int = 0) -> Iterator[Outcome]:
    """Simulates campaigns and estimates their shares."""
    rng = np.random.default_rng([seed, equal])
    for _ in range(campaigns):
        pool = make_pool(rng, setting)
        rows, chance = draw_audit(rng, pool, equal)
        truth = float(pool.yes.mean())
        share = estimate_share(audited(pool, rows, chance), float(pool.guess.mean())).interval
        low, high = (bound.interval for bound in estimate_ads(pool, rows, chance))
        of_ads = (np.bincount(pool.ads, pool.yes) > 0).mean()
        yield Outcome(
            covers=np.nan if share is None else share.low <= truth <= share.high,
            width=np.nan if share is None else share.high - share.low,
            exact=exact_width(truth),
            raw=float(pool.yes[np.append(rows, pool.hunted)].mean()),
            covers_ads=np.nan if not (low and high) else low.low <= of_ads <= high.high,
            gap_of_ads=np.nan if not (low and high) else high.high - low.low,
        )


def mean(values: Array) -> str:
    """Their mean without NaN; a dash if there is none."""
    known = values[np.isfinite(values)]
    return f"{known.mean():.3f}" if len(known) else "–"


def row(setting: Setting, equal: bool, campaigns: int) -> list[str]:
    """The figures of one kind of campaigns; widths are relative to the exact interval."""
    outcomes = np.array([astuple(o) for o in simulate(setting, equal, campaigns)])
    covers, width, exact, raw, covers_ads, gap = outcomes.T
    relative = width / exact.mean()
    return [
        "equal" if equal else "by the model",
        f"{np.isnan(width).mean():.3f}",
        *map(mean, (covers, relative, raw, covers_ads, gap)),
    ]


def main() -> None:
    """Prints a row for each setting and way to draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--campaigns", type=int, default=1_000)
    campaigns = parser.parse_args().campaigns
    columns = (
        *("campaigns", "chances", "not estimable", "covered", "width / exact", "raw share"),
        *("ads: covered", "ads: lowest to highest"),
    )
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    for name, setting in SETTINGS.items():
        for equal in (True, False):
            print("| " + " | ".join([name, *row(setting, equal, campaigns)]) + " |", flush=True)


if __name__ == "__main__":
    main()
