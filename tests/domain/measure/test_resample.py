"""Quantiles and intervals that figures share."""

import pytest
from scipy.stats import t as student

from biasloop.domain.measure.resample import student_quantile

OF_TAILS = [(p, degrees) for p in (0.95, 0.975, 0.995, 0.9975) for degrees in (4, 7.5, 30, 1000)]
OF_INTERVALS = [(0.975, degrees) for degrees in (2, 2.5, 3, 5, 10)]


@pytest.mark.parametrize(("probability", "degrees"), [*OF_TAILS, *OF_INTERVALS])
def test_quantiles_of_student(probability: float, degrees: float) -> None:
    exact = student.ppf(probability, degrees)
    assert student_quantile(probability, degrees) == pytest.approx(exact, rel=0.01)
