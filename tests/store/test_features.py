"""Feature rows of the pool: made once, kept, the same as made afresh."""

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
    made = ArrowPool(tmp_path / "pool")
    fill(made, range(45))
    return made


@pytest.fixture
def store(tmp_path: Path, pool: ArrowPool) -> FeatureStore:
    return FeatureStore(tmp_path / "features", pool)


def fill(pool: ArrowPool, numbers: range) -> None:
    ads = [Ad(f"ad-{i}", f"Annuncio {i}: un cuoco per la sede {i % 7}") for i in numbers]
    pool.append([real_item(ad, 0, len(ad.text), Split.TRAIN) for ad in ads], ads)


def shards_of(store: FeatureStore, encoder_id: str, folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / encoder_id).glob("0*")}


def test_kept_rows_are_those_that_the_encoder_makes(store: FeatureStore, pool: ArrowPool) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    texts = pool.texts(range(len(pool)))
    expected = encoder.encode(texts).presence().toarray()
    for _ in ("made", "kept"):
        parts = [store.shard(encoder, shard) for shard in pool.shards()]
        found = np.vstack([part.presence().toarray() for part in parts])
        np.testing.assert_array_equal(found, expected)


def test_rows_come_from_kept_shards_and_from_others_alike(
    store: FeatureStore, pool: ArrowPool
) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    wanted = np.array([0, 3, 19, 20, 44])
    expected = encoder.encode(pool.texts(wanted)).presence().toarray()
    for shard in (None, *pool.shards()):
        if shard:
            store.shard(encoder, shard)
        found = store.rows(encoder, wanted)
        np.testing.assert_array_equal(found.presence().toarray(), expected)


def test_likeness_is_that_of_the_rows_asked_about(store: FeatureStore, pool: ArrowPool) -> None:
    encoder = store.encoder(Tfidf(), LABELLED)
    rows = np.array([30, 4, 17, 4, 44])
    made = []

    def load() -> Encoder:
        made.append(encoder)
        return encoder

    likeness = store.similarity(load, rows)
    assert not made
    some, others = np.array([4, 0]), np.array([3, 1, 2])
    found = likeness(some, others)
    texts = encoder.encode(pool.texts(rows))
    np.testing.assert_allclose(found, encoder.similarity(texts[some], texts[others]), atol=1e-6)
    np.testing.assert_allclose(found[:, 0], found[:, 1])


def test_an_append_leaves_what_is_there_alone(
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
    (folder / module.MADE).unlink()
    again = store.encoder(Tfidf(), LABELLED)
    assert again.id == encoder.id
    assert len(store.shard(again, pool.shards()[0])) == pool.shards()[0][2]


@pytest.mark.parametrize("damage", ["cut", "gone", "garbage"])
def test_damaged_rows_are_named_with_the_way_out(
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
