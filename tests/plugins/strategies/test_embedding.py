"""What the strategies based on distance choose, and those that wrap another strategy."""

from itertools import permutations
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import rel_entr

from biasloop.domain.learning import Scores
from biasloop.plugins.registry import Kind, create
from biasloop.plugins.strategies.coreset import farthest_first
from biasloop.plugins.strategies.own import unit
from support.made_scores import made_scores

Floats = NDArray[np.float32]


def choose(name: str, scores: Scores, n: int, seed: int = 1, **options: object) -> list[int]:
    chosen: list[int] = create(Kind.STRATEGY, name, options).choose(scores, n, seed).tolist()
    return chosen


def only_embedding(points: Floats, labelled: Floats | None = None) -> Scores:
    labels = None if labelled is None else np.ones((len(labelled), 1), np.int8)
    arrays = {} if labelled is None else {"embedding": labelled}
    return Scores({"embedding": points}, np.zeros(1, np.float32), True, arrays, labels)


# --- core-set -------------------------------------------------------------------------------------


@given(
    st.integers(2, 80), st.integers(1, 3), st.integers(0, 20), st.integers(0, 999), st.booleans()
)
def test_farthest_first_is_exact(
    m: int, dims: int, labelled: int, seed: int, duplicates: bool
) -> None:
    """Each pick is as far from all centres as any candidate, although few are kept up to date."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((m, dims)).astype(np.float32)
    if duplicates:
        points = points[rng.integers(max(1, m // 10), size=m)]
    centres = unit(rng.standard_normal((labelled, dims)))
    n = int(rng.integers(1, m))
    with (
        patch("biasloop.plugins.strategies.coreset.MIN_CHUNK", 3),
        patch("biasloop.plugins.strategies.coreset.MAX_CHUNK", 12),
        patch("biasloop.plugins.strategies.coreset.INITIAL_CENTRES", 4),
    ):
        picks = farthest_first(points, centres, n, rng)
    assert len(set(picks)) == n
    cosine = unit(points) @ unit(points).T
    nearest = (unit(points) @ centres.T).max(axis=1, initial=-2)
    for i, pick in enumerate(picks):
        left = np.setdiff1d(np.arange(m), picks[:i])
        assert nearest[pick] <= nearest[left].min() + 1e-5
        nearest = np.maximum(nearest, cosine[:, pick])


def test_coreset_goes_where_nothing_is_labelled() -> None:
    angles = np.radians([0, 5, 10, 90, 180])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert choose("coreset", only_embedding(points, points[:1]), 2) == [3, 4]
    assert choose("coreset", only_embedding(3 * points, points[3:]), 1) == [0]


# --- k-means --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [25_000, 60])
def test_kmeans_takes_the_middle_of_every_cluster(sample: int) -> None:
    """Twelve far apart; in each, the item without noise is nearest to the centre."""
    rng = np.random.default_rng(0)
    middles = 5 * np.eye(12, dtype=np.float32)
    noise = rng.standard_normal((12, 10, 12)).astype(np.float32)
    pairs = np.concatenate([noise, -noise], axis=1) * 0.2  # symmetric round the middle
    points = np.concatenate([middles[:, None], middles[:, None] + pairs], axis=1).reshape(-1, 12)
    with (
        patch("biasloop.plugins.strategies.kmeans.SAMPLE", sample),
        patch("biasloop.plugins.strategies.kmeans.PER_CENTRE", 1),
    ):
        chosen = np.array(choose("embedding_kmeans", only_embedding(points), 12))
    assert (chosen // 21).tolist() == list(range(12))
    if sample > len(points):
        assert (chosen % 21 == 0).all()


# --- contrastive ----------------------------------------------------------------------------------


@pytest.mark.parametrize("multi", [False, True])
@given(st.integers(2, 40), st.integers(1, 25), st.integers(0, 999))
@settings(max_examples=30)
def test_contrastive_chooses_the_largest_mean_divergence(
    multi: bool, m: int, labelled: int, seed: int
) -> None:
    scores = made_scores(m, 3, multi, seed, labelled=labelled)
    n = int(np.random.default_rng(seed).integers(1, m))
    chosen = choose("contrastive", scores, n)

    def answers(proba: Floats) -> Floats:
        return np.stack([proba, 1 - proba], axis=-1) if multi else proba

    similarity = unit(scores.arrays["embedding"]) @ unit(scores.labelled["embedding"]).T
    theirs, own = answers(scores.labelled["proba"]), answers(scores.arrays["proba"])
    worth = np.array([
        np.mean([rel_entr(theirs[j], own[i]).sum() for j in np.argsort(-similarity[i])[:10]])
        for i in range(m)
    ])  # fmt: skip
    rest = np.setdiff1d(np.arange(m), chosen)
    assert worth[chosen].min() >= worth[rest].max() - 1e-4


def test_contrastive_compares_a_sample_of_a_large_pool() -> None:
    scores = made_scores(300, 3, True, labelled=20)
    whole = choose("contrastive", scores, 10)
    with patch("biasloop.plugins.strategies.contrastive.MAX_PAIRS", 20 * 100):
        part = choose("contrastive", scores, 10)
    assert 0 < len(set(whole) & set(part)) < 10


def test_contrastive_handles_probabilities_of_0_and_1() -> None:
    sure = np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32)
    points = np.ones((3, 2), np.float32)
    for multi in (False, True):
        scores = Scores(
            {"proba": sure, "embedding": points},
            np.zeros(2, np.float32),
            multi,
            {"proba": sure[:1], "embedding": points[:1]},
            np.array([[1, 0]], np.int8),
        )
        assert choose("contrastive", scores, 1) == [1]


# --- wrappers -------------------------------------------------------------------------------------


def test_subsample_chooses_from_its_sample() -> None:
    scores = made_scores(400, 3, multi=False)
    whole = choose("entropy", scores, 20)
    assert choose("subsample", scores, 20, of="entropy", size=400) == whole
    part = choose("subsample", scores, 20, of="entropy", size=200)
    worth = np.argsort(np.argsort(np.log(scores.arrays["proba"]).sum(axis=1)))
    assert part != whole
    assert len(set(part) & set(whole)) > 3
    assert worth[part].mean() > worth.mean()
    assert len(choose("subsample", scores, 20, of="entropy", size=5)) == 20  # the sample grows


@pytest.mark.parametrize(("power", "n"), [(1, 1), (2, 3), (4, 2)])
def test_softrank_samples_from_a_ranking(power: float, n: int) -> None:
    """The first draw picks rank r with a chance proportional to 1 / r ** power; in multi-label
    schemes `auto` samples from rarity in the same way."""
    scores = made_scores(8, 2, multi=True)
    binary = np.stack([scores.arrays["proba"], 1 - scores.arrays["proba"]], dtype=float)
    order = np.argsort((binary * np.log(binary)).sum(axis=(0, 2)))
    draws = 1_500
    count = np.zeros(8)
    for seed in range(draws):
        options = {"of": "rarity", "power": power}
        chosen = choose("softrank", scores, n, seed, **options)
        count[chosen] += 1
        if power == 2:
            assert choose("auto", scores, n, seed) == chosen
    chance = np.arange(1, 9) ** -float(power)
    chance /= chance.sum()
    included = np.zeros(8)  # of drawing n without replacement, one after the other
    for places in permutations(range(8), n):
        taken = np.cumsum([0, *chance[list(places)]])
        included[list(places)] += np.prod(chance[list(places)] / (1 - taken[:-1]))
    assert np.abs(count[order] / draws - included).max() < 5 * (0.25 / draws) ** 0.5


def test_cluster_diverse_takes_one_of_each_kind_of_doubt() -> None:
    """Forty unsure items of four kinds; plain entropy takes the ten of the unsurest kind."""
    kind = np.arange(40) % 4
    proba = np.stack([0.5 + kind / 100, 0.5 - kind / 100], axis=1).astype(np.float32)
    proba = np.concatenate([proba, np.tile(np.float32([0.9, 0.1]), (60, 1))])
    points = np.concatenate([np.eye(5)[kind], np.eye(5)[np.full(60, 4)]]).astype(np.float32)
    scores = Scores({"proba": proba, "embedding": points}, np.zeros(2, np.float32), multi=False)
    assert {i % 4 for i in choose("entropy", scores, 4)} == {0}
    diverse = choose("cluster_diverse", scores, 4, of="entropy", factor=10)
    assert sorted(i % 4 for i in diverse) == [0, 1, 2, 3]
    assert max(diverse) < 40


def test_a_wrapper_needs_what_its_parts_need() -> None:
    def needs(name: str, of: str) -> set[str]:
        return set(create(Kind.STRATEGY, name, {"of": of}).needs)

    assert needs("subsample", "bald") == {"passes"}
    assert needs("cluster_diverse", "entropy") == {"proba", "embedding"}
