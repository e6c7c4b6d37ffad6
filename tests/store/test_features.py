"""Stored feature rows of the pool: computed once, and the same as computed again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.item import Ad, real_item
from biasloop.domain.split import Split
from biasloop.plugins.classifiers.embedding import Embedding
from biasloop.plugins.classifiers.options import EmbeddingOptions, TfidfOptions
from biasloop.plugins.classifiers.terms.weighting import TermWeighting
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.ports import Encoder
from biasloop.store import features as module
from biasloop.store import pool as pool_module
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool
from support.tiny_checkpoint import make_encoder

LABELLED = ["Cerchiamo un cuoco", "Cerchiamo personale"]


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArrowPool:
    monkeypatch.setattr(pool_module, "SHARD_ROWS", 20)
    monkeypatch.setattr(pool_module, "CHUNK_ROWS", 5)
    pool = ArrowPool(tmp_path / "pool")
    fill(pool, range(45))
    return pool


@pytest.fixture(scope="module")
def stored(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[FeatureStore, ArrowPool, Path]]:
    """A store with all rows of a pool, the pool, and the store's folder."""
    folder = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_module, "SHARD_ROWS", 20)
        patch.setattr(pool_module, "CHUNK_ROWS", 5)
        pool = ArrowPool(folder / "pool")
        fill(pool, range(45))
        store = FeatureStore(folder / "features", pool)
        encoder = store.encoder(Tfidf(), LABELLED)
        for shard in pool.shards():
            store.shard(encoder, shard)
        yield store, pool, folder / "features"


@pytest.fixture
def store(tmp_path: Path, pool: ArrowPool) -> FeatureStore:
    return FeatureStore(tmp_path / "features", pool)


def fill(pool: ArrowPool, numbers: range) -> None:
    ads = [Ad(f"ad-{i}", f"Annuncio {i}: un cuoco per la sede {i % 7}") for i in numbers]
    pool.append([real_item(ad, 0, len(ad.text), Split.TRAIN) for ad in ads], ads)


def shards_of(store: FeatureStore, encoder_id: str, folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / encoder_id).glob("0*")}


def test_stored_rows_are_those_that_the_encoder_computes(
    store: FeatureStore, pool: ArrowPool
) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    texts = pool.texts(range(len(pool)))
    expected = encoder.encode(texts).presence().toarray()
    for _ in ("computed", "stored"):
        parts = [store.shard(encoder, shard) for shard in pool.shards()]
        stored = np.vstack([part.presence().toarray() for part in parts])
        np.testing.assert_array_equal(stored, expected)


def test_rows_are_the_same_from_stored_shards_and_from_others(
    store: FeatureStore, pool: ArrowPool
) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    rows = np.array([0, 3, 19, 20, 44])
    expected = encoder.encode(pool.texts(rows)).presence().toarray()
    for shard in (None, *pool.shards()):
        if shard:
            store.shard(encoder, shard)
        features = store.rows(encoder, rows)
        np.testing.assert_array_equal(features.presence().toarray(), expected)


def test_new_terms_leave_the_states_of_a_pretrained_model_alone(
    store: FeatureStore, pool: ArrowPool, tmp_path: Path
) -> None:
    tiny = make_encoder(tmp_path / "tiny", LABELLED)
    classifier = Embedding(EmbeddingOptions(model=str(tiny)))

    def stored_shards(labelled: list[str]) -> tuple[dict[str, int], dict[str, int]]:
        encoder = store.encoder(classifier, labelled)
        for shard in pool.shards():
            store.shard(encoder, shard)
        rows = np.array([0, 3, 19, 20, 44])
        some = store.rows(encoder, rows)
        expected = encoder.encode(pool.texts(rows))
        np.testing.assert_allclose(some.states, expected.states, atol=2e-3)
        assert (some.terms.presence() != expected.terms.presence()).nnz == 0
        terms, states = (shards_of(store, part.id, tmp_path / "features") for part in encoder.parts)
        assert len(terms) == len(states) == len(pool.shards())
        return terms, states

    terms, states = stored_shards(LABELLED)
    assert stored_shards(LABELLED) == (terms, states)
    new_terms, same_states = stored_shards(LABELLED * 2 + ["mai visto"])
    assert same_states == states
    assert new_terms != terms


def test_similarity_is_that_of_the_given_rows(store: FeatureStore, pool: ArrowPool) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    rows = np.array([30, 4, 17, 4, 44])
    loaded = []

    def load() -> Encoder:
        loaded.append(encoder)
        return encoder

    similarity = store.similarity(load, rows)
    assert not loaded
    some, others = np.array([4, 0]), np.array([3, 1, 2])
    computed = similarity(some, others)
    texts = encoder.encode(pool.texts(rows))
    np.testing.assert_allclose(computed, encoder.similarity(texts[some], texts[others]), atol=1e-6)
    np.testing.assert_allclose(computed[:, 0], computed[:, 1])


def test_an_append_leaves_stored_rows_alone(
    store: FeatureStore, pool: ArrowPool, tmp_path: Path
) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    for shard in pool.shards():
        store.shard(encoder, shard)
    before = shards_of(store, encoder.id, tmp_path / "features")
    fill(pool, range(45, 60))
    assert store.encoder(Tfidf(), LABELLED).id == encoder.id
    for shard in pool.shards():
        store.shard(encoder, shard)
    after = shards_of(store, encoder.id, tmp_path / "features")
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1


@pytest.mark.parametrize("what", ["pool", "labels", "options"])
def test_an_encoder_that_no_longer_fits_is_replaced(
    store: FeatureStore, pool: ArrowPool, tmp_path: Path, what: str
) -> None:
    first = store.encoder(Tfidf(), LABELLED)
    labelled, options = LABELLED, TfidfOptions()
    if what == "pool":
        fill(pool, range(100, 145))
    if what == "labels":
        labelled = [*LABELLED, "Una bella presenza", "Massimo trent'anni"]
    if what == "options":
        options = TfidfOptions(longest=4)
    second = store.encoder(Tfidf(options), labelled)
    assert second.id != first.id
    assert [path.name for path in (tmp_path / "features").iterdir()] == [second.id]


def test_a_killed_attempt_leaves_nothing_that_counts(
    store: FeatureStore, pool: ArrowPool, tmp_path: Path
) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    folder = tmp_path / "features" / encoder.id
    (folder / "000000.4711").mkdir()
    (folder / "000000.4711" / "terms.npy").write_bytes(b"half")
    (folder / module.BUILD_FILE).unlink()
    again = store.encoder(Tfidf(), LABELLED)
    assert again.id == encoder.id
    assert len(store.shard(again, pool.shards()[0])) == pool.shards()[0][2]


def same_rows(store: FeatureStore, pool: ArrowPool, classifier: Tfidf) -> bool:
    """Whether the stored rows of the pool are those that the stored encoder computes."""
    encoder = store.encoder(classifier, LABELLED)
    stored = store.rows(encoder, np.arange(len(pool))).presence()
    computed = encoder.encode(pool.texts(range(len(pool)))).presence()
    return np.array_equal(stored.toarray(), computed.toarray())


def damaged(content: bytes, how: str, at: float, bits: int) -> bytes:
    position = int(at * (len(content) - 1))
    match how:
        case "empty":
            return b""
        case "cut":
            return content[:position]
        case "garbage":
            return b"not what it was" * 9
        case _:
            return content[:position] + bytes([content[position] ^ bits]) + content[position + 1 :]


@pytest.mark.parametrize("how", ["empty", "cut", "garbage", "gone", "flipped"])
@given(file=st.integers(0, 10**6), at=st.floats(0, 1), bits=st.integers(1, 255))
@settings(max_examples=12, deadline=None)
def test_whatever_is_damaged_is_made_again(
    stored: tuple[FeatureStore, ArrowPool, Path], how: str, file: int, at: float, bits: int
) -> None:
    """A flipped bit in a shard may leave rows that could be true; they crash nothing."""
    store, pool, folder = stored
    assert same_rows(store, pool, Tfidf())
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    path = paths[file % len(paths)]
    if how == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.unlink()  # it may be mapped
        path.write_bytes(damaged(content, how, at, bits))
    if how == "flipped" and path.suffix == ".npy":
        encoder = store.encoder(Tfidf(), LABELLED)
        rows = store.rows(encoder, np.arange(len(pool)))
        weighting = TermWeighting.fit(rows)
        weighting.scores(rows, np.ones((rows.width, 2), np.float32))
        assert len(rows) == len(pool)
        path.unlink()
    assert same_rows(store, pool, Tfidf())


@given(
    name=st.sampled_from(["terms", "ends"]),
    at=st.floats(0, 1),
    number=st.integers(-(2**31), 2**31 - 1) | st.integers(-9, 3000),
)
@settings(max_examples=60, deadline=None)
def test_a_wrong_number_crashes_nothing(
    stored: tuple[FeatureStore, ArrowPool, Path], name: str, at: float, number: int
) -> None:
    store, pool, folder = stored
    encoder = store.encoder(Tfidf(), LABELLED)
    shard = pool.shards()[0]
    mapped = store.shard(encoder, shard)
    before = replace(mapped, indices=np.array(mapped.indices), ends=np.array(mapped.ends))
    path = folder / encoder.id / "000000" / f"{name}.npy"
    numbers = np.load(path)
    position = int(at * (len(numbers) - 1))
    numbers[position] = number
    path.unlink()  # the old one is mapped
    np.save(path, numbers)
    terms, ends = (numbers, before.ends) if name == "terms" else (before.indices, numbers)
    possible = 0 <= terms.min() <= terms.max() < encoder.width and not (
        ends[0] < 0 or ends[-1] > len(terms) or (np.diff(ends) < 0).any()
    )
    after = store.shard(encoder, shard)
    after.presence().toarray()
    expected = (terms, ends) if possible else (before.indices, before.ends)
    np.testing.assert_array_equal(after.indices, expected[0])
    np.testing.assert_array_equal(after.ends, expected[1])
    path.unlink()


def test_an_encoder_that_is_not_the_one_of_its_folder_is_made_again(
    store: FeatureStore, pool: ArrowPool, tmp_path: Path
) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    folder = tmp_path / "features" / encoder.id
    for file in (folder / "encoder" / "language").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes() + b"\n")
    other = Tfidf().make_encoder(["Cerchiamo altro"])
    (folder / "encoder" / "encoder.npz").unlink()
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other.save(other_folder)
    (other_folder / "encoder.npz").rename(folder / "encoder" / "encoder.npz")
    assert store.encoder(Tfidf(), LABELLED).id == encoder.id
    assert same_rows(store, pool, Tfidf())
