"""The parts that classifiers on pretrained models share: batches, targets, hardware."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from biasloop.plugins.classifiers.deep import hardware
from biasloop.plugins.classifiers.deep.batches import (
    batches_by_length,
    padded_batch,
    shuffled_batches,
)
from biasloop.plugins.classifiers.deep.network import mean_pool
from biasloop.plugins.classifiers.deep.targets import MAX_FACTOR, Targets, fill_in_constants
from biasloop.plugins.classifiers.deep.training import Plan
from biasloop.plugins.classifiers.head.calibration import CERTAIN

LENGTHS = st.lists(st.integers(1, 300), max_size=60).map(
    lambda lengths: np.array(lengths, np.int64)
)


@given(LENGTHS, st.integers(1, 700), st.integers(1, 9))
def test_batches_hold_every_row_once_within_their_bounds(lengths, tokens, rows):
    mixed = shuffled_batches(lengths, tokens, rows, np.random.default_rng(0))
    for batches in (batches_by_length(lengths, tokens, rows), mixed):
        assert sorted(np.concatenate([*batches, []]).tolist()) == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) == 1 or lengths[batch].max() * len(batch) <= tokens
            assert 1 <= len(batch) <= rows


def test_training_batches_are_of_similar_length_and_mixed_again_each_time():
    lengths = np.arange(1, 201)
    first, second = (shuffled_batches(lengths, 10**6, 10, np.random.default_rng(i)) for i in (1, 2))
    assert [batch.tolist() for batch in first] != [batch.tolist() for batch in second]
    with_padding = sum(lengths[batch].max() * len(batch) for batch in first)
    assert lengths.sum() / with_padding > 0.8


def test_padding_is_masked_and_never_pooled():
    tokens = [[5, 6, 7], [8]]
    ids, mask = padded_batch(tokens, np.array([0, 1]), 9, torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    states = torch.arange(12.0).reshape(2, 3, 2)
    torch.testing.assert_close(mean_pool(states, mask), torch.tensor([[2.0, 3.0], [6.0, 7.0]]))
    assert padded_batch(tokens, np.array([0]), 9, torch.device("cpu"))[1] is None


def test_the_learning_rate_warms_up_and_falls():
    plan = Plan(lr=1.0, epochs=1, min_steps=1, tokens=1, rows=1, warm_up=0.25)
    rates = [plan.lr_at(progress) for progress in (0.0, 0.125, 0.25, 0.625, 1.0)]
    assert rates == pytest.approx([0, 0.5, 1, 0.5, 0])


ANSWERS = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.tuples(*[st.integers(-1, 1)] * 3), min_size=n, max_size=n),
        st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n, max_size=n),
    )
)


@given(ANSWERS)
def test_both_answers_of_a_label_weigh_the_same(drawn):
    labels, weights = np.array(drawn[0], np.int8), np.array(drawn[1], np.float32)
    targets = Targets.from_labels(labels, weights, multi=True)
    assert (targets.weights[(labels < 0) | (weights == 0)[:, None]] == 0).all()
    for j in range(3):
        yes, no = (targets.weights[labels[:, j] == answer, j] for answer in (1, 0))
        if np.isnan(targets.constant[j]):
            ratio = yes.sum() / no.sum()
            assert 1 / 30 <= ratio <= 30
            if max(np.ptp(yes), np.ptp(no)) == 0 and len(labels) < MAX_FACTOR:
                assert ratio == pytest.approx(1, rel=1e-4)
        else:
            assert yes.sum() == no.sum() == 0
            answers = labels[(labels[:, j] >= 0) & (weights > 0), j]
            assert (targets.constant[j] == CERTAIN) == bool(len(answers) and answers.all())
    if len(targets.rows):
        assert targets.weights.sum() == pytest.approx(len(labels), rel=1e-3)


def test_classes_weigh_the_same_and_rows_without_one_nothing():
    labels = np.array([[1, 0, 0]] * 6 + [[0, 1, 0]] * 2 + [[0, 0, 0]], np.int8)
    targets = Targets.from_labels(labels, np.ones(9, np.float32), multi=False)
    weights = targets.weights[:, 0]
    assert weights[:6].sum() == pytest.approx(weights[6:8].sum())
    assert weights[8] == 0
    assert targets.constant[2] == -CERTAIN
    assert np.isnan(targets.constant[:2]).all()
    scores = fill_in_constants(np.zeros((1, 3), np.float32), targets.constant)
    assert scores.tolist() == [[0, 0, -CERTAIN]]


@pytest.mark.parametrize("multi", [True, False])
def test_loss_falls_with_the_truth_and_ignores_what_was_not_asked(multi):
    labels = np.array([[1, 0, -1], [0, 1, 0]], np.int8)
    targets = Targets.from_labels(labels, np.ones(2, np.float32), multi)
    rows = np.array([0, 1])
    wrong, right = (
        torch.tensor([[-1.0, 1, 0], [1, -1, 1]]),
        torch.tensor([[1.0, -1, 0], [-1, 1, -1]]),
    )
    assert targets.loss(right, rows) < targets.loss(wrong, rows)
    other = right.clone()
    other[0, 2] = 7
    assert targets.loss(other, rows) == targets.loss(right, rows)


@pytest.mark.parametrize("scores", [-1.0, 1.0, np.nan])
def test_every_kind_of_collapse_is_detected(scores):
    labels = np.array([[1, 0], [0, 1], [0, 0], [1, 1]] * 5, np.int8)
    targets = Targets.from_labels(labels, np.ones(20, np.float32), multi=True)
    learned = np.where(labels == 1, 1.0, -1.0)
    assert targets.unlearned(learned) == []
    learned[:, 1] = scores
    assert targets.unlearned(learned) == [1]


def test_a_single_class_for_all_is_collapse():
    labels = np.repeat(np.eye(3, dtype=np.int8), [8, 4, 4], axis=0)
    targets = Targets.from_labels(labels, np.ones(16, np.float32), multi=False)
    assert targets.unlearned(labels.astype(float)) == []
    assert targets.unlearned(np.tile([1.0, 0, 0], (16, 1))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False}, torch.float32),
    ],
)
def test_bfloat16_only_where_the_processor_supports_it(capabilities, dtype, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert hardware.dtype(torch.device("cpu")) is dtype
