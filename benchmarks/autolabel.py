"""How often the bound of `biasloop autolabel` is broken, and how much of the pool it labels.

    python -m benchmarks.autolabel [--campaigns 1000]

Whole campaigns are simulated: 20,000 sentences, a fifth of the ads audit ads, from which 400
sentences are audited in three draws by the functions that draw real audits, with equal chances or
with chances that follow the model. The model's score is normal, of the same variance for sentences
with and without the label, as far apart as gives its AUC; its probabilities are right, or rash. In
clustered ads of five sentences, labels and scores are alike. The bound (risk 5 %, delta 10 %) is
broken if more than 5 % of what the thresholds label in the pool is wrong.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm

from biasloop.domain.measure.autolabel import AuditFrame, certify
from biasloop.domain.measure.design import audit_sizes, draw_chances, draw_positions

ITEMS, AUDIT_ADS, LABELS, DRAWS, MAX_PER_AD = 20_000, 0.2, 400, 3, 3
RISK, DELTA, LEVEL = 0.05, 0.1, 0.01


@dataclass(frozen=True)
class Setting:
    """Campaigns of one kind: `share` of sentences with the label, AUC, sentences in an ad and how
    much alike they are, `rash` (above 1: overconfident) probabilities, and equal chances or not."""

    share: float
    equal: bool = True
    auc: float = 0.95
    per_ad: int = 1
    alike: float = 0.0
    rash: float = 1.0

    def __str__(self) -> str:
        chances = "equal" if self.equal else "model"
        ads = f"ads of {self.per_ad}, alike {self.alike:g}" if self.per_ad > 1 else "ads of 1"
        rash = f", rash {self.rash:g}" if self.rash != 1 else ""
        return f"{self.share:.0%}, AUC {self.auc:g}{rash} | {chances} | {ads}"


SETTINGS = [
    Setting(share, equal, auc, per_ad, alike, rash)
    for share in (0.3, 0.05)
    for auc, per_ad, alike, rash in (
        (0.95, 1, 0.0, 1.0),
        (0.95, 5, 0.3, 1.0),
        (0.95, 5, 0.9, 2.0),
        (0.98, 5, 0.3, 1.0),
        (0.5, 5, 0.3, 1.0),
        (0.7, 5, 0.3, 3.0),
    )
    for equal in (True, False)
]


@dataclass(frozen=True)
class Outcome:
    """The share of the pool that was labelled (0: refused), and of that what is wrong."""

    covered: float
    wrong: float


def simulate(rng: np.random.Generator, setting: Setting) -> Outcome:
    """One campaign."""
    ads = np.repeat(np.arange(ITEMS // setting.per_ad), setting.per_ad)

    def alike_in_ads() -> NDArray[np.float64]:
        own, of_ad = rng.normal(size=ITEMS), rng.normal(size=ads[-1] + 1)
        return np.asarray(np.sqrt(setting.alike) * of_ad[ads] + np.sqrt(1 - setting.alike) * own)

    apart = np.sqrt(2) * norm.ppf(setting.auc)
    yes = alike_in_ads() < norm.ppf(setting.share)
    score = alike_in_ads() + apart * yes
    odds = apart * score - apart**2 / 2 + np.log(setting.share / (1 - setting.share))
    # A useless model that says nothing is spread a little, so that it has surest verdicts.
    odds = setting.rash * odds + 1e-3 * rng.normal(size=ITEMS)
    p = 1 / (1 + np.exp(-odds))
    rows = np.flatnonzero((rng.random(ads[-1] + 1) < AUDIT_ADS)[ads])
    numbers = np.unique(ads[rows], return_inverse=True)[1]
    chance: NDArray[np.float64] = np.zeros(len(rows))
    drawn = np.zeros(len(rows), dtype=bool)
    sizes = (
        np.ones(len(rows)) if setting.equal else audit_sizes(p[rows, None], p[rows, None] >= 0.5)
    )
    for _ in range(DRAWS):  # the draws are independent
        once = draw_chances(sizes, chance, numbers, LABELS / DRAWS, MAX_PER_AD)
        drawn[draw_positions(once, numbers, rng)] = True
        chance = 1 - (1 - chance) * (1 - once)
    sure, wrong = np.maximum(p, 1 - p), (p >= 0.5) != yes
    frame = AuditFrame(sure[rows], chance, numbers, drawn, wrong[rows], rng.random(len(rows)))
    step = certify(frame, sure, RISK, DELTA).chosen
    if step is None:
        return Outcome(0.0, 0.0)
    labelled = sure >= step.confidence
    return Outcome(float(labelled.mean()), float(wrong[labelled].mean()))


def main() -> None:
    """Prints a table with a row for each kind of campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=1000)
    n = parser.parse_args().campaigns
    print("| label, model | chances | ads | broken | labelled, mean | quartiles | refused | held |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    allowed = binom.ppf(1 - LEVEL, n, DELTA)
    for number, setting in enumerate(SETTINGS):
        outcomes = [simulate(np.random.default_rng([2026, number, i]), setting) for i in range(n)]
        covered = np.array([outcome.covered for outcome in outcomes])
        broken = sum(outcome.wrong > RISK for outcome in outcomes)
        low, high = np.quantile(covered, [0.25, 0.75])
        print(
            f"| {setting} | {broken / n:.3f} | {covered.mean():.2f} | {low:.2f} – {high:.2f} | "
            f"{(covered == 0).mean():.2f} | {'yes' if broken <= allowed else 'NO'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
