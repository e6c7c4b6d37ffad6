"""Stored feature rows of the pool: computed once, and the same as computed again."""

from pathlib import Path

import numpy as np
import pytest

from biasloop.domain.item import Ad, real_item
from biasloop.domain.split import Split
from biasloop.errors import PoolError
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.ports import Encoder
from biasloop.store import features as module
from biasloop.store import pool as pool_module
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool

LABELLED = ["Cerchiamo un cuoco", "Cerchiamo personale"]


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArrowPool:
    monkeypatch.setattr(pool_module, "SHARD_ROWS", 20)
    monkeypatch.setattr(pool_module, "CHUNK_ROWS", 5)
    pool = ArrowPool(tmp_path / "pool")
    fill(pool, range(45))
    return pool


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


@pytest.mark.parametrize("damage", ["cut", "gone", "garbage"])
def test_the_message_about_damaged_rows_names_the_folder_to_delete(
    store: FeatureStore, pool: ArrowPool, tmp_path: Path, damage: str
) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    shard = pool.shards()[0]
    store.shard(encoder, shard)
    file = tmp_path / "features" / encoder.id / "000000" / "ends.npy"
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-64] if damage == "cut" else b"not an array")
    with pytest.raises(PoolError, match=r"000000 .*delete that folder"):
        store.shard(encoder, shard)
