"""Comparison with small-text: its interface, and its choices where they are right."""

import warnings
from typing import Any

import numpy as np
import pytest
import small_text
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from biasloop.domain.learning import Scores
from biasloop.plugins.registry import Kind, create
from biasloop.plugins.strategies.own import unit
from biasloop.plugins.strategies.small_text import SmallText, StoredScores
from support.made_scores import made_scores


def chosen_by_small_text(query_strategy: Any, scores: Scores, n: int, seed: int = 1) -> list[int]:
    """What one of small-text's own query strategies chooses."""

    class Wrapped(SmallText):
        def query_strategy(self, scores: Scores, rng: np.random.Generator) -> Any:
            return query_strategy

    chosen: list[int] = Wrapped().choose(scores, n, seed).tolist()
    return chosen


def coreset() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a default of small-text
        return small_text.GreedyCoreset()


@pytest.mark.parametrize(
    ("name", "counterpart"),
    [
        ("random", small_text.RandomSampling),
        ("breaking_ties", small_text.BreakingTies),
        ("entropy", small_text.PredictionEntropy),
        ("bald", small_text.BALD),
        ("coreset", coreset),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_same_choice_as_small_text_where_its_choice_is_right(
    name: str, counterpart: Any, seed: int
) -> None:
    scores = made_scores(150, 4, multi=False, seed=seed, labelled=12)
    ours = create(Kind.STRATEGY, name).choose(scores, 15, seed=1).tolist()
    assert ours == chosen_by_small_text(counterpart(), scores, 15)


def test_any_query_strategy_of_small_text_runs_over_stored_scores() -> None:
    scores = made_scores(60, 3, multi=True, labelled=9)
    chosen = chosen_by_small_text(
        small_text.CategoryVectorInconsistencyAndRanking(pbar=None), scores, 7
    )
    assert len(set(chosen)) == 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = chosen_by_small_text(small_text.ContrastiveActiveLearning(pbar=None), scores, 7)
    assert len(set(chosen)) == 7


class RowClassifier(LogisticRegression):
    """Answers as small-text's classifiers do; its data set is feature rows."""

    def embed(self, dataset: Any, pbar: Any = None) -> Any:
        return dataset


@pytest.mark.parametrize("name", ["breaking_ties", "entropy", "fisher", "coreset", "contrastive"])
def test_ours_are_query_strategies_for_any_classifier_of_small_text(name: str) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((80, 5)).astype(np.float32)
    answers = (features[:, 0] + rng.standard_normal(80) > 0).astype(int)
    labelled, unlabelled = np.arange(0, 20), np.arange(20, 80)
    classifier = RowClassifier().fit(features[labelled], answers[labelled])
    proba = classifier.predict_proba(features).astype(np.float32)
    points = unit(features[np.concatenate([unlabelled, labelled])])
    scores = Scores(
        {"proba": proba[unlabelled], "embedding": features[unlabelled]},
        np.zeros(2, np.float32),
        multi=False,
        labelled={"proba": proba[labelled], "embedding": features[labelled]},
        labels=np.eye(2, dtype=np.int8)[answers[labelled]],
        similarity=lambda some, others: points[some] @ points[others].T,
    )
    strategy = create(Kind.STRATEGY, name)
    query_strategy = strategy.query_strategy(scores, np.random.default_rng(1))
    assert isinstance(query_strategy, small_text.QueryStrategy)
    chosen = query_strategy.query(
        classifier, features, unlabelled, labelled, answers[labelled], n=6
    )
    assert sorted(chosen - 20) == strategy.choose(scores, 6, seed=1).tolist()
    with pytest.raises(small_text.PoolExhaustedException):
        query_strategy.query(classifier, features, unlabelled, labelled, answers[labelled], n=61)


def test_consecutive_rows_are_not_copied() -> None:
    scores = made_scores(10, 2, multi=True, labelled=4)
    stored = StoredScores(scores)
    pool, labelled = scores.arrays["embedding"], scores.labelled["embedding"]
    assert np.shares_memory(stored.embed(np.arange(2, 9)), pool)
    assert np.shares_memory(stored.embed(np.arange(11, 14)), labelled)
    whole = np.concatenate([pool, labelled])
    for rows in (np.array([9, 10]), np.array([3, 1, 13]), np.array([], int), np.arange(14)):
        np.testing.assert_array_equal(stored.embed(rows), whole[rows])
    embedding, proba = stored.embed(np.arange(12), return_proba=True)
    assert len(embedding) == len(proba) == 12
    assert stored.predict_proba(np.arange(3), dropout_sampling=4).shape == (3, 4, 2)


def test_labels_have_the_format_of_small_text() -> None:
    seen: list[Any] = []

    class Spy(small_text.QueryStrategy):  # type: ignore[misc]
        def query(
            self, clf: Any, dataset: Any, unlabelled: Any, labelled: Any, y: Any, n: int = 10
        ) -> Any:
            seen.append(y)
            assert unlabelled.tolist() == list(range(20))
            assert labelled.tolist() == list(range(20, 26))
            return unlabelled[:n]

    for multi in (False, True):
        scores = made_scores(20, 3, multi, labelled=6)
        chosen_by_small_text(Spy(), scores, 2)
        assert scores.labels is not None
        if multi:
            assert isinstance(seen[-1], csr_matrix)
            np.testing.assert_array_equal(seen[-1].toarray(), scores.labels)
        else:
            np.testing.assert_array_equal(seen[-1], scores.labels.argmax(axis=1))
