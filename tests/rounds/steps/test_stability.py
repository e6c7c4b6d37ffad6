"""small-text's stopping criteria over verdicts of several models."""

import numpy as np
import pandas as pd
import pytest

from biasloop.rounds.steps.evaluate.stability import align, stability
from biasloop.rounds.steps.stored_verdicts import flag_columns, proba_columns

LABELS = ("age", "gender", "origin")
N = 200


def table(flags, proba=None, labelled=()):
    verdict_table = pd.DataFrame({"item_id": [f"i{i:03d}" for i in range(len(flags))]})
    verdict_table["labelled"] = np.isin(np.arange(len(flags)), list(labelled))
    verdict_table[flag_columns(LABELS)] = flags
    verdict_table[proba_columns(LABELS)] = flags.astype(float) if proba is None else proba
    return verdict_table


def verdicts(changed=0.0, seed=0, multi=True):
    """Verdicts of one model; on a share `changed` of the items they differ from the defaults."""
    classes = np.arange(N) % 3
    other = np.random.default_rng(seed).random(N) < changed
    flags = np.eye(3, dtype=bool)[(classes + other) % 3]
    return table(flags & (np.arange(N)[:, None] % 2 == 0) if multi else flags)


def stops(tables, multi):
    return {criterion.name: criterion.stop for criterion in stability(tables, LABELS, multi)}


@pytest.mark.parametrize("multi", [True, False])
def test_models_that_agree_say_stop(multi):
    results = stops([verdicts(multi=multi)] * 4, multi)
    assert {results[name] for name in ("kappa", "delta_f", "change")} == {True}
    assert results.get("uncertainty", True)  # every probability is 0 or 1


@pytest.mark.parametrize("multi", [True, False])
def test_models_that_differ_do_not(multi):
    tables = [verdicts(0.3, seed, multi) for seed in range(4)]
    results = stops(tables, multi)
    assert {results[name] for name in ("kappa", "delta_f", "change")} == {False}


def test_only_the_last_models_matter():
    tables = [verdicts(0.5, 1), verdicts(0.5, 2), *[verdicts()] * 4]
    assert stops(tables, True) == stops([verdicts()] * 4, True)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_models_give_no_answer(n):
    results = stops([verdicts()] * n, True)
    assert results == {"kappa": None, "delta_f": None, "change": None if n == 1 else True}


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize("same", [[0, 0, 0], [1, 0, 0], [1, 1, 1]])
def test_verdicts_of_one_class_stop_nothing(multi, same):
    if not multi:
        same = [1, 0, 0]
    constant = table(np.tile(np.array(same, bool), (N, 1)))
    for tables in ([constant] * 4, [verdicts(multi=multi)] * 3 + [constant]):
        assert set(stops(tables, multi).values()) == {None}


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize("names", [("age", "gender"), ("age", "gender", "origin", "salary")])
def test_models_with_other_labels_cannot_be_compared(multi, names):
    """A label that was added during a campaign once kept every later round from ending."""
    older = verdicts(multi=multi).iloc[:, :2].copy()
    for name in names:
        older[f"flag_{name}"] = np.arange(N) % 2 == 0
    try:
        results = stops([older] * 3 + [verdicts(multi=multi)], multi)
    except KeyError as error:
        pytest.fail(f"an older model's verdicts were read with the labels of today: {error}")
    assert {results[name] for name in ("kappa", "delta_f", "change")} == {None}
    assert stops([older, *[verdicts(multi=multi)] * 4], multi)["change"]


def test_the_order_of_the_labels_does_not_matter():
    tables = [verdicts(0.1, seed) for seed in range(4)]
    reordered = [each[each.columns[::-1]] for each in tables[:3]] + tables[3:]
    assert stops(reordered, True) == stops(tables, True)


def test_uncertainty_is_that_of_unlabelled_items():
    flags = np.eye(3, dtype=bool)[np.arange(N) % 3]
    unsure = np.where(np.arange(N)[:, None] < 50, flags, 1 / 3)
    assert not stops([table(flags, unsure)], False)["uncertainty"]
    assert stops([table(flags, unsure, labelled=range(50, N))], False)["uncertainty"]
    assert not stops([table(flags, labelled=range(N))], False)["uncertainty"]


def test_tables_are_compared_on_what_all_of_them_hold():
    left, right = verdicts().iloc[:120], verdicts().iloc[::-1].iloc[:150]
    first, second = align([left, right])
    assert list(first["item_id"]) == list(second["item_id"])
    assert len(first) == 70
