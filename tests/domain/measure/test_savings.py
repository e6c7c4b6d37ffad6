"""The estimate of labels saved, and how often its interval covers the truth."""

from itertools import pairwise

import numpy as np
import pytest
from benchmarks.coverage import Setting, simulate_outcomes

from biasloop.domain.measure.savings import SavingsPlan, estimate_savings

R = 200


def curves(plan, acquired, random, noise=0.01, seed=0):
    """Scores with these means; noise of audit items is shared by all models of a resample."""
    rng = np.random.default_rng(seed)
    audit = np.append(0, rng.normal(0, noise, R))[:, None]
    draws = rng.normal(0, noise, (1, len(plan.orders), 1))
    draws = draws * np.append(np.ones(len(plan.budgets) - 1), 0)  # all labels are one draw
    return np.array(acquired) + audit, np.array(random) + audit[:, :, None] + draws


@pytest.mark.parametrize(("labels", "steps", "draws"), [(40, 8, 10), (43, 8, 3), (40, 2, 4)])
def test_draws_are_nested_and_one_budget_is_half(labels, steps, draws):
    plan = SavingsPlan.from_label_count(labels, steps, draws, seed=1)
    assert (plan.budgets[steps // 2 - 1], plan.budgets[-1]) == (labels // 2, labels)
    assert [list(rows) for rows in plan.acquired()] == [list(range(b)) for b in plan.budgets]
    fits = plan.random()
    assert len(fits) == draws * (steps - 1) + 1
    assert set(fits[-1]) == set(range(labels))
    for draw in range(draws):
        own = [set(rows) for rows in fits[draw * (steps - 1) : (draw + 1) * (steps - 1)]]
        assert [len(rows) for rows in own] == list(plan.budgets[:-1])
        assert all(small < large for small, large in pairwise(own))


def test_scores_become_curves_in_the_order_of_the_plan():
    plan = SavingsPlan.from_label_count(40, steps=4, draws=3, seed=0)
    scores = np.array([[len(rows) + 100 * (i // 3) for i, rows in enumerate(plan.random())]])
    result = plan.curves(scores)
    assert result.shape == (1, 3, 4)
    assert result[0, 1].tolist() == [110, 120, 130, 340]


def test_the_saving_is_read_off_the_curves():
    plan = SavingsPlan.from_label_count(80, steps=8, draws=10, seed=0)
    random = np.linspace(0.3, 0.65, 8)
    savings = estimate_savings(plan, *curves(plan, random + 0.12, random), witnesses=50, seed=0)
    assert [p.labels for p in savings.points] == list(range(10, 90, 10))
    assert savings.points[-1].difference.value == pytest.approx(0.12)
    assert savings.points[0].acquired.value == pytest.approx(0.42)
    assert savings.saved.value == pytest.approx(1 - 60 / 80)
    assert savings.saved.low <= 0.25 <= savings.saved.high
    assert savings.why is None


@pytest.mark.parametrize(
    ("difference", "why"),
    [
        (0.4, "even 10 acquired labels score no less than 80 random ones"),
        (-0.4, "even 10 random labels score no less than 80 acquired ones"),
    ],
)
def test_nothing_is_extrapolated(difference, why):
    plan = SavingsPlan.from_label_count(80, steps=8, draws=10, seed=0)
    random = np.linspace(0.4, 0.6, 8)
    savings = estimate_savings(
        plan, *curves(plan, random + difference, random), witnesses=50, seed=0
    )
    assert (savings.saved, savings.why) == (None, why)
    assert savings.points[-1].difference.value == pytest.approx(difference)


def test_resamples_without_a_positive_are_left_out():
    plan = SavingsPlan.from_label_count(80, steps=8, draws=10, seed=0)
    random = np.linspace(0.3, 0.65, 8)
    acquired, drawn = curves(plan, random + 0.1, random)
    sure = estimate_savings(plan, acquired, drawn, witnesses=50, seed=0)
    acquired[5], drawn[5] = np.nan, np.nan
    savings = estimate_savings(plan, acquired, drawn, witnesses=50, seed=0)
    assert savings.saved.value == sure.saved.value
    assert np.isfinite([savings.saved.low, savings.saved.high, savings.points[0].random.high]).all()


def test_few_witnesses_widen_the_interval():
    plan = SavingsPlan.from_label_count(80, steps=8, draws=10, seed=0)
    random = np.linspace(0.3, 0.65, 8)
    scores = curves(plan, random + 0.1, random)
    few, many = (
        estimate_savings(plan, *scores, witnesses=n, seed=0).points[-1].random for n in (10, 999)
    )
    assert few.low < many.low
    assert few.high > many.high


def test_the_interval_covers_the_truth_in_1000_campaigns():
    """See benchmarks.coverage for how they are simulated, and for campaigns of other kinds."""
    outcomes = list(simulate_outcomes(Setting(labels=80), campaigns=1000))
    covered = np.mean([outcome.difference_covered() for outcome in outcomes], axis=0)
    assert 0.93 <= covered[-1] <= 0.98
    assert covered.min() >= 0.91  # of models that learned from 10 labels too
    saved = [outcome.saved_covered() for outcome in outcomes if outcome.savings.saved]
    assert len(saved) > 900
    assert np.mean(saved) >= 0.93
