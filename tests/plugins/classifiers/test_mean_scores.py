"""The mean of a fine-tuned and a linear model: what each may add, and that neither spoils it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.plugins.classifiers.head.calibration import CERTAIN, Calibration
from biasloop.plugins.classifiers.head.report import calibrated
from biasloop.plugins.classifiers.mixed.linear_part import LinearPart
from biasloop.plugins.classifiers.mixed.mean_scores import MeanScores, notes_on_chance
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.tfidf import Tfidf

LABELS = 3
numbers = st.floats(-50, 50)
scores_of = arrays(float, (4, LABELS), elements=numbers)


@st.composite
def calibrations(draw):
    slope = draw(arrays(float, LABELS, elements=st.floats(0.05, 20)))
    return Calibration(slope, draw(arrays(float, LABELS, elements=numbers)), multi=True)


pairs = st.tuples(calibrations(), calibrations())
knowing = arrays(bool, (2, LABELS))


@given(pairs, st.tuples(scores_of, scores_of), knowing)
def test_it_is_the_mean_of_the_log_odds_of_those_that_know_a_label(both, scores, informed):
    mean = MeanScores.from_calibrations(both, informed).scores(scores)
    log_odds = np.stack([c.slope * s + c.offset for c, s in zip(both, scores, strict=True)])
    for j in range(LABELS):
        taken = informed[:, j] if informed[:, j].any() else np.array([True, True])
        np.testing.assert_allclose(mean[:, j], log_odds[taken, :, j].mean(axis=0), atol=1e-9)


@given(pairs, scores_of, st.tuples(scores_of, scores_of))
def test_a_model_that_ranks_by_chance_changes_nothing(both, scores, noise):
    informed = np.array([[True] * LABELS, [False] * LABELS])
    mean = MeanScores.from_calibrations(both, informed)
    np.testing.assert_array_equal(*(mean.scores([scores, chance]) for chance in noise))


@given(pairs, st.tuples(scores_of, scores_of), knowing, st.sampled_from([CERTAIN, -CERTAIN]))
def test_what_a_model_learned_no_second_answer_of_stays_certain(both, scores, informed, certain):
    scores[0][1, 2] = certain
    assert MeanScores.from_calibrations(both, informed).scores(scores)[1, 2] == certain


def test_a_label_that_one_model_does_not_know_is_noted():
    informed = {"A": np.array([True, False, False]), "B": np.array([True, True, False])}
    notes = notes_on_chance(informed, ("both", "one", "none"))
    assert notes == ["one: A ranks texts no better than by chance and is left out"]


# --- joined with a linear model ---------------------------------------------------------------


def written(words: tuple[str, str], multi: bool, seed: int = 0, n: int = 160) -> TrainingSet:
    """n texts, each with a number of its own and one of the words; half of them have the label."""
    yes = np.random.default_rng(seed).permutation(n) % 2
    columns = (yes,) if multi else (yes, 1 - yes)
    return TrainingSet(
        texts=[f"testo {i} {words[1 - answer]}" for i, answer in enumerate(yes)],
        labels=np.stack(columns, axis=1).astype(np.int8),
        weights=np.ones(n, np.float32),
        roots=np.array([f"root{i}" for i in range(n)]),
        sources=[LabelSource.HUMAN] * n,
        label_names=("yes", "no")[: len(columns)],
        multi=multi,
    )


def join(data: TrainingSet, scores):
    """The mean scores out of fold, the notes, and the linear model's probabilities out of fold."""
    linear = Tfidf(TfidfOptions(folds=3))
    report = linear.fit(data, seed=1)
    part, mean, notes = LinearPart.join(data, scores, linear, report)
    return part, mean, notes, report


def noise(data: TrainingSet, seed: int = 5):
    return np.random.default_rng(seed).normal(size=data.labels.shape)


@pytest.mark.parametrize("multi", [True, False])
def test_a_fine_tuned_model_that_learned_nothing_leaves_the_linear_one_as_it_is(multi):
    data = written(("martello", "mela"), multi)
    _, mean, notes, report = join(data, noise(data))
    np.testing.assert_allclose(calibrated(data, mean)[1].oof, report.oof, atol=0.02)
    assert len(notes) == 1
    assert "the fine-tuned model ranks texts no better than by chance" in notes[0]


@pytest.mark.parametrize("multi", [True, False])
def test_terms_that_tell_nothing_leave_the_fine_tuned_model_as_it_is(multi):
    data = written(("mela", "mela"), multi)
    scores = 2.0 * data.labels - 1 + noise(data)
    _, mean, notes, _ = join(data, scores)
    alone, together = (calibrated(data, array)[1].oof for array in (scores, mean))
    np.testing.assert_allclose(together, alone, atol=0.02)
    assert len(notes) == 1
    assert "the linear model ranks texts no better than by chance" in notes[0]


@given(st.integers(0, 30))
def test_two_models_that_err_differently_are_better_together(seed):
    """Words tell a third of the label's texts; the fine-tuned scores are blurred truth."""
    data = written(("mela", "pera"), multi=True, seed=seed)
    hidden = np.random.default_rng(seed).random(len(data.texts)) < 0.6
    texts = [f"testo {i}" if hide else data.texts[i] for i, hide in enumerate(hidden)]
    data = TrainingSet(
        texts, data.labels, data.weights, data.roots, data.sources, data.label_names, multi=True
    )
    scores = 2.0 * data.labels - 1 + 1.5 * noise(data, seed)
    _, mean, _, report = join(data, scores)
    truth = data.labels[:, 0] == 1
    assert area(truth, mean) > area(truth, scores)
    assert area(truth, mean) > area(truth, report.scores)


def area(truth, scores):
    """Under the ROC curve: the share of pairs of a positive and a negative in the right order."""
    yes, no = scores[truth, 0], scores[~truth, 0]
    difference = yes[:, None] - no
    return (difference > 0).mean() + (difference == 0).mean() / 2
