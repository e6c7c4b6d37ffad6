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


def test_nothing_flagged_stops_nothing_by_mistake():
    nothing = table(np.zeros((N, 3), bool))
    results = stops([nothing] * 4, True)
    assert results == {"kappa": True, "delta_f": False, "change": True}


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
