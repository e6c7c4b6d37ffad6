"""Two models compared on what both learned from, by verdicts stored next to their folders."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.model import ModelVersion, Promotion
from biasloop.domain.round import Done
from biasloop.domain.votes.consensus import ConsensusMethod
from biasloop.rounds.child import no_heartbeat
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.out_of_fold import compare_out_of_fold
from biasloop.rounds.steps.evaluate.step import evaluate
from biasloop.rounds.steps.stored_verdicts import (
    flag_columns,
    read_verdicts,
    verdicts_path,
    write_verdicts,
)
from biasloop.rounds.steps.train.data import columns
from biasloop.store.pool import ArrowPool

SCHEME = Scheme(("age", "gender"), multi=True, none_label="none")
REAL = (LabelSource.HUMAN, LabelSource.SEED)


@pytest.fixture
def context(tmp_path: Path) -> EvaluationContext:
    pool = ArrowPool(tmp_path / "pool")
    models, work = tmp_path / "models", tmp_path / "work"
    models.mkdir()
    return EvaluationContext(
        pool,
        SCHEME,
        ConsensusMethod.MAJORITY,
        0,
        workspace=tmp_path,
        models=models,
        work_folder=work,
        pool_folder=tmp_path / "pool",
        features_folder=tmp_path / "features",
        heartbeat=no_heartbeat,
    )


def verdicts(
    rows: range, errors: float, *, seed: int, source: str = "human", labels: Scheme = SCHEME
) -> pd.DataFrame:
    """Out-of-fold verdicts on items 0 … of which `rows` were learned from; two items a root."""
    rng = np.random.default_rng(1)
    truth = (rng.random((1000, 2)) < 0.4).astype(np.int8)
    wrong = np.random.default_rng(seed).random(truth.shape) < errors
    table = pd.DataFrame({"item_id": [f"i{i}" for i in range(1000)]})
    table["root"] = [f"ad-{i // 2}" for i in range(1000)]
    table["source"] = source
    k = len(labels.labels)
    table[columns(labels.labels)] = truth[:, :k]
    table[flag_columns(labels.labels)] = ((truth == 1) ^ wrong)[:, :k]
    return table.iloc[rows]


def test_only_items_of_both_count_and_only_what_people_and_seeds_say(
    context: EvaluationContext,
) -> None:
    constructed = verdicts(range(600, 700), 0.9, seed=5, source="constructed")
    old = pd.concat([verdicts(range(500), 0.2, seed=2), constructed])
    new = pd.concat([verdicts(range(100, 600), 0.1, seed=3), constructed])
    write_verdicts(context.models, "old", "oof", old)
    write_verdicts(context.models, "new", "oof", new)
    comparison = compare_out_of_fold("old", "new", REAL, context)
    assert comparison is not None
    assert (comparison.n_items, comparison.n_roots) == (400, 200)
    assert comparison.macro is not None
    assert comparison.macro.low > 0
    assert compare_out_of_fold("new", "old", REAL, context).macro.high < 0  # type: ignore[union-attr]


def test_what_cannot_be_compared_is_not(context: EvaluationContext) -> None:
    assert read_verdicts(verdicts_path(context.models, "old", "oof"), SCHEME) is None
    assert compare_out_of_fold("old", "new", REAL, context) is None
    write_verdicts(context.models, "old", "oof", verdicts(range(50), 0.1, seed=2))
    assert compare_out_of_fold("old", "new", REAL, context) is None
    write_verdicts(context.models, "new", "oof", verdicts(range(50, 90), 0.1, seed=2))
    assert compare_out_of_fold("old", "new", REAL, context) is None


def test_a_label_that_one_of_them_did_not_know_is_left_out(context: EvaluationContext) -> None:
    age = Scheme(("age",), multi=True, none_label="none")
    write_verdicts(context.models, "old", "oof", verdicts(range(200), 0.1, seed=2, labels=age))
    write_verdicts(context.models, "new", "oof", verdicts(range(200), 0.1, seed=3))
    comparison = compare_out_of_fold("old", "new", REAL, context)
    assert comparison is not None
    assert comparison.macro_over == ("age",)


def evaluate_models(context: EvaluationContext, *, errors: float, promote: bool = True) -> Done:
    """Evaluates a model with this share of errors against one in service with a fifth."""
    write_verdicts(context.models, "r0000", "oof", verdicts(range(600), 0.2, seed=2))
    write_verdicts(context.models, "r0001", "oof", verdicts(range(700), errors, seed=3))
    old, new = (ModelVersion(name, "tfidf", 1, name, {}, ()) for name in ("r0000", "r0001"))
    return evaluate(
        model=new,
        trained_on=(),
        in_service=old,
        earlier=(),
        annotations=(),
        selections=(),
        promote=promote,
        stopping=None,
        context=context,
    )


@pytest.mark.parametrize(("errors", "promoted"), [(0.1, True), (0.2, True), (0.4, False)])
def test_a_shown_loss_keeps_a_model_out_of_service(
    context: EvaluationContext, errors: float, promoted: bool
) -> None:
    done = evaluate_models(context, errors=errors)
    decision = done.facts["promotion"]
    assert decision["promoted"] == promoted
    assert (decision["against"], decision["n_items"], decision["n_roots"]) == ("r0000", 600, 300)
    records = (Promotion("r0001", decision["why"]),) if promoted else ()
    assert done.records == records


def test_by_hand_the_evidence_is_recorded_all_the_same(context: EvaluationContext) -> None:
    done = evaluate_models(context, errors=0.1, promote=False)
    assert done.records == ()
    assert done.facts["promotion"]["difference"]["low"] > 0
    assert "loop.promote is manual" in done.facts["promotion"]["why"]
