"""The pool on disk: reading, appending, erasing, damage, and writers killed at any moment."""

import json
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.item import Ad, Item, real_item, seed_item, synthetic_item
from biasloop.domain.split import Split
from biasloop.errors import PoolError
from biasloop.ports import Pool
from biasloop.store import pool as module
from biasloop.store import series
from biasloop.store.pool import ArrowPool
from biasloop.store.series import Series
from biasloop.store.shards import Shard


def some_ad(number: int) -> Ad:
    return Ad(
        f"ad-{number}",
        f"Prima frase {number}. Seconda è {number}.",
        f"Titolo {number}",
        "it",
        columns={"employer": f"Ditta-{number}.", "place": None, "published": date(2026, 3, 1)},
    )


def items_of(ad: Ad) -> list[Item]:
    middle = ad.text.index(".") + 1
    split = Split.AUDIT if ad.id.endswith("9") else Split.TRAIN
    return [
        real_item(ad, 0, middle, split, "edilizia"),
        real_item(ad, middle + 1, len(ad.text), split),
    ]


def fill(pool: ArrowPool, numbers: range) -> tuple[list[Ad], list[Item]]:
    ads = [some_ad(number) for number in numbers]
    items = [item for ad in ads for item in items_of(ad)]
    assert pool.append(items, ads) == (len(items), 0)
    return ads, items


@pytest.fixture
def pool(tmp_path: Path) -> ArrowPool:
    return ArrowPool(tmp_path / "pool")


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_ROWS", 20)
    monkeypatch.setattr(module, "CHUNK_ROWS", 5)


def test_an_empty_pool_answers(pool: ArrowPool) -> None:
    contract: Pool = pool
    assert len(contract) == 0
    assert pool.column("id").shape == (0,)
    assert pool.column("erased").dtype == np.bool_
    assert pool.rows_of(["x"]).tolist() == [-1]
    assert pool.ads(["x"]) == {}
    assert pool.items([]) == []
    assert pool.shards() == []
    assert pool.stats().items == 0


def test_all_ads_come_in_order_without_the_erased(pool: ArrowPool, small_shards: None) -> None:
    assert list(pool.all_ads()) == []
    ads, _ = fill(pool, range(30))
    pool.erase("ad-7")
    assert list(ArrowPool(pool._folder).all_ads()) == [ad for ad in ads if ad.id != "ad-7"]


def test_items_and_ads_come_back_as_they_were_added(pool: ArrowPool, small_shards: None) -> None:
    ads, items = fill(pool, range(30))
    child = synthetic_item((items[0], items[4]), "Una frase nuova", "swap")
    seed = seed_item("seed:1", "Cercasi ragazza", "moda")
    assert pool.append([child, seed]) == (2, 0)
    everything = [*items, child, seed]

    again = ArrowPool(pool._folder)
    assert len(again) == 62
    assert again.items(range(62)) == everything
    rows = [61, 0, 25, 25, 60]
    assert again.items(rows) == [everything[row] for row in rows]
    assert again.texts(rows) == [everything[row].text for row in rows]
    assert again.ads(["ad-3", "nobody", "ad-29"]) == {"ad-3": ads[3], "ad-29": ads[29]}
    assert again.rows_of([i.id for i in everything[::-1]] + ["?"]).tolist() == [
        *range(61, -1, -1),
        -1,
    ]
    assert [start for _, start, _ in again.shards()] == [0, 20, 40, 60]
    assert sum(rows for _, _, rows in again.shards()) == 62
    for name in ("id", "text_hash", "split", "origin", "group", "operation", "ad_id"):
        assert again.column(name).tolist() == [getattr(item, name) for item in everything]
        assert again.column(name, 23).tolist() == [getattr(i, name) for i in everything[:23]]
    assert again.column("root").tolist() == [item.roots[0] for item in everything]
    assert again.stats().by_origin == {"real": 60, "synthetic": 1, "seed": 1}
    assert again.stats().ads == 30


def test_ads_of_an_earlier_version_have_no_columns(
    pool: ArrowPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        features = series.dataset_features("ads")
        del features["columns"]
        earlier.setattr(module, "dataset_features", lambda _: features)
        earlier.setattr(
            module, "to_table", lambda *new: series.to_table(*new).drop_columns(["columns"])
        )
        pool.append([], [some_ad(number) for number in range(3)])
    (shard,) = pool._folder.glob("ads-*.arrow")
    assert "columns" not in pa.ipc.open_stream(shard).read_all().column_names

    again = ArrowPool(pool._folder)
    assert again.ads(["ad-1"])["ad-1"] == replace(some_ad(1), columns={})
    again.erase("ad-1")
    again.append([], [some_ad(3)])
    again.remove(np.array([], dtype=np.int64), ["ad-2"])
    assert list(again.all_ads()) == [replace(some_ad(0), columns={}), some_ad(3)]


def test_known_ids_are_refused(pool: ArrowPool) -> None:
    ads, items = fill(pool, range(3))
    extra = seed_item("seed:1", "Nuova")
    assert pool.append([*items, extra, extra], ads) == (1, 7)
    assert len(pool) == 7
    assert pool.stats().ads == 3
    assert pool.append(items) == (0, 6)
    assert len(pool.shards()) == 2


def test_a_reader_sees_what_others_write(pool: ArrowPool) -> None:
    reader = ArrowPool(pool._folder)
    assert len(reader) == 0
    _, items = fill(pool, range(2))
    assert reader.rows_of([items[3].id]).tolist() == [3]
    _, more = fill(pool, range(2, 4))
    assert reader.rows_of([more[0].id, items[0].id]).tolist() == [4, 0]
    assert reader.texts([4]) == [more[0].text]


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=8)


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXTS))
def test_any_appends_leave_every_text_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[str]]
) -> None:
    pool = ArrowPool(tmp_path_factory.mktemp("pool"))
    expected: dict[str, Item] = {}
    for batch in batches:
        items = [seed_item("r", text) for text in batch]
        new = {item.id: item for item in items if item.id not in expected}
        assert pool.append(items) == (len(new), len(items) - len(new))
        expected |= new
    assert pool.items(range(len(pool))) == list(expected.values())
    assert pool.rows_of(list(expected)).tolist() == list(range(len(expected)))


def test_text_that_is_not_unicode_is_refused(pool: ArrowPool) -> None:
    with pytest.raises(PoolError, match="cannot store one of these items"):
        pool.append([seed_item("r", "\ud800")])
    assert len(pool) == 0


def test_a_row_out_of_range_is_an_error(pool: ArrowPool) -> None:
    fill(pool, range(1))
    for row in (2, -1):
        with pytest.raises(PoolError, match=f"row {row} is not in the pool"):
            pool.items([0, row])


def test_an_unknown_column_is_refused(pool: ArrowPool) -> None:
    with pytest.raises(ValueError, match="no column 'txt'; known: ad_id"):
        pool.column("txt")


# --- erasing ----------------------------------------------------------------------------------


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_erasing_leaves_no_trace_and_moves_no_row(pool: ArrowPool, small_shards: None) -> None:
    ads, items = fill(pool, range(30))
    child = synthetic_item((items[0], items[4]), "Figlia di due annunci", "swap")
    stranger = synthetic_item((items[8],), "Figlia di un altro", "swap")
    pool.append([child, stranger])
    reader = ArrowPool(pool._folder)
    before, shards = reader.column("id").tolist(), reader.shards()

    gone = [items[4].id, items[5].id, child.id]
    assert pool.erase("ad-2") == gone

    assert reader.column("id").tolist() == before
    assert reader.shards() == shards
    assert np.flatnonzero(reader.column("erased")).tolist() == [4, 5, 60]
    assert reader.texts([3, 4, 5, 60, 61]) == [items[3].text, "", "", "", stranger.text]
    assert reader.items([4])[0].text_hash == items[4].text_hash
    assert reader.ads(["ad-2"])["ad-2"] == Ad("ad-2", "", "", "it")
    assert reader.ads(["ad-2"])["ad-2"].columns == {}
    assert reader.ads(["ad-3"]) == {"ad-3": ads[3]}
    assert reader.stats().erased_items == 3
    assert reader.stats().erased_ads == 1
    on_disk = bytes_of(pool._folder)
    for text in ("Prima frase 2.", "Titolo 2Titolo", "Figlia di due", "Ditta-2."):
        assert text.encode() not in on_disk
    assert b"Prima frase 3." in on_disk
    assert b"Ditta-3." in on_disk
    assert b"Titolo 1Titolo 3" in on_disk
    assert pool.erase("ad-2") == gone
    assert pool.append(items, ads) == (0, 60), "the same import brings nothing back"
    assert pool.texts([4]) == [""]


def test_rows_go_on_after_erasing(pool: ArrowPool) -> None:
    fill(pool, range(2))
    pool.erase("ad-0")
    _, more = fill(pool, range(2, 3))
    assert pool.rows_of([more[0].id]).tolist() == [4]
    pool.erase("ad-1")
    assert pool.column("erased").tolist() == [True] * 4 + [False] * 2


def test_erasing_what_is_not_there_is_an_error(pool: ArrowPool) -> None:
    fill(pool, range(1))
    with pytest.raises(PoolError, match="no ad 'nobody' in the pool"):
        pool.erase("nobody")


# --- damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"items": []}', b'{"items": [7], "ads": []}']
)
def test_a_damaged_manifest_is_named(pool: ArrowPool, content: bytes) -> None:
    fill(pool, range(1))
    (pool._folder / "manifest.json").write_bytes(content)
    with pytest.raises(PoolError, match=r"manifest\.json is damaged .*backup"):
        len(pool)


def test_a_missing_manifest_does_not_delete_the_shards(pool: ArrowPool) -> None:
    _, items = fill(pool, range(1))
    (pool._folder / "manifest.json").unlink()
    with pytest.raises(PoolError, match=r"manifest\.json is missing, but its shards"):
        pool.append(items)
    assert list(pool._folder.glob("items-*.arrow"))


@pytest.mark.parametrize("how", ["truncated", "garbage", "gone", "one bit"])
def test_a_damaged_shard_is_named(pool: ArrowPool, how: str) -> None:
    fill(pool, range(1))
    (shard,) = pool._folder.glob("items-*.arrow")
    size = shard.stat().st_size
    if how == "gone":
        shard.unlink()
    elif how == "one bit":
        content = bytearray(shard.read_bytes())
        content[size // 2] ^= 1
        shard.write_bytes(content)
    else:
        shard.write_bytes(b"\x07" * (size if how == "garbage" else size // 2))
    with pytest.raises(PoolError, match=rf"shard .*{shard.name} is (damaged|missing).*backup"):
        len(ArrowPool(pool._folder))


def test_a_manifest_without_checksums_is_of_an_earlier_version(pool: ArrowPool) -> None:
    fill(pool, range(1))
    path = pool._folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for shards in manifest.values():
        for shard in shards:
            del shard["crc"]
    path.write_text(json.dumps(manifest))
    assert len(ArrowPool(pool._folder)) == 2


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PoolError, match="cannot write the pool"):
        ArrowPool(tmp_path / "file" / "pool").append([seed_item("r", "x")])


# --- other processes --------------------------------------------------------------------------

PREAMBLE = """
import sys, time
from pathlib import Path
from biasloop.domain.item import seed_item
from biasloop.store import pool as module, shards as files
from biasloop.store.pool import ArrowPool
from biasloop.store.series import Series
from biasloop.store.shards import Shard
module.SHARD_ROWS, module.CHUNK_ROWS = 20, 5
pool = ArrowPool(Path(sys.argv[1]))
def here():
    print("here", flush=True)
    time.sleep(600)
"""


def run_and_kill(script: str, folder: Path) -> None:
    """Runs the script until it prints "here", and kills it with SIGKILL."""
    command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(script), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "here\n"
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


IN_THE_MIDDLE_OF_A_SHARD = """
from datasets.arrow_writer import ArrowWriter
whole = ArrowWriter.write_table
def half(self, *a, **k):
    whole(self, *a, **k)
    if "items-000002" in self._path:
        self.stream.flush()
        here()
ArrowWriter.write_table = half
"""
BEFORE_THE_MANIFEST = """
replace = files.replace_manifest
def late(folder, manifest):
    if len(manifest["items"]) == 3:
        here()
    replace(folder, manifest)
files.replace_manifest = late
"""
IN_THE_MIDDLE_OF_THE_MANIFEST = """
replace = Path.replace
def late(self, target):
    if Path(target).name == "manifest.json" and self.read_text().count('"number"') == 3:
        self.write_text(self.read_text()[:50])
        here()
    return replace(self, target)
Path.replace = late
"""
APPEND = """
pool.append(seed_item("seed", f"frase {i}") for i in range(100))
"""


@pytest.mark.parametrize(
    "moment", [IN_THE_MIDDLE_OF_A_SHARD, BEFORE_THE_MANIFEST, IN_THE_MIDDLE_OF_THE_MANIFEST]
)
def test_a_killed_append_is_completed_by_the_same_append(pool: ArrowPool, moment: str) -> None:
    run_and_kill(moment + APPEND, pool._folder)
    assert len(pool) == 40, "only committed shards are visible"
    items = [seed_item("seed", f"frase {i}") for i in range(100)]
    assert pool.append(items) == (60, 40)
    assert pool.items(range(100)) == items
    listed = {shard.file for shard in pool._state().items.shards}
    assert {path.name for path in pool._folder.glob("*.arrow")} == listed


@pytest.mark.parametrize(
    ("moment", "erased_before"),
    [
        ("replace = files.replace_manifest\nfiles.replace_manifest = lambda *a: here()", False),
        ("replace = files.replace_manifest\n"
         "files.replace_manifest = lambda *a: (replace(*a), here())", True),
    ],
    ids=["before the manifest", "after the manifest"],
)  # fmt: skip
def test_a_killed_erase_is_whole_or_nothing(
    pool: ArrowPool, small_shards: None, moment: str, erased_before: bool
) -> None:
    fill(pool, range(30))
    run_and_kill(f"{moment}\npool.erase('ad-2')", pool._folder)
    assert pool.column("erased").any() == erased_before
    assert (pool.ads(["ad-2"])["ad-2"].text == "") == erased_before
    assert len(pool.erase("ad-2")) == 2
    assert b"Prima frase 2." not in bytes_of(pool._folder)
    assert np.flatnonzero(pool.column("erased")).tolist() == [4, 5]


@pytest.mark.parametrize("listed", [False, True], ids=["before the manifest", "after the manifest"])
def test_a_killed_removal_is_whole_or_nothing(
    pool: ArrowPool, small_shards: None, listed: bool
) -> None:
    _, items = fill(pool, range(30))
    after = "replace(*a), " if listed else ""
    moment = (
        f"replace = files.replace_manifest\nfiles.replace_manifest = lambda *a: ({after}here())"
    )
    run_and_kill(
        f"import numpy as np\n{moment}\npool.remove(np.array([4, 5]), ['ad-2'])", pool._folder
    )
    assert (pool.rows_of([items[4].id, items[5].id]) < 0).tolist() == [listed, listed]
    assert ("ad-2" in pool.ads(["ad-2"])) != listed
    pool.remove(np.array([4, 5]), ["ad-2"])
    assert b"Prima frase 2." not in bytes_of(pool._folder)
    assert pool.append(items, map(some_ad, range(30))) == (2, 58)
    assert (len(pool), pool.stats().items) == (62, 60)


def test_killed_at_random_moments_nothing_is_lost_or_doubled(pool: ArrowPool) -> None:
    script = """
    here = print("here", flush=True)
    pool.append(seed_item("seed", f"frase {i}") for i in range(3000))
    """
    command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(script), str(pool._folder)]
    rng, sizes = np.random.default_rng(0), [0]
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.6, 1.4))
            process.kill()
        sizes.append(len(ArrowPool(pool._folder)))
    assert sizes == sorted(sizes)
    items = [seed_item("seed", f"frase {i}") for i in range(3000)]
    assert pool.append(items) == (3000 - sizes[-1], sizes[-1])
    assert pool.items(range(3000)) == items


def test_a_second_writer_is_told_who_holds_the_lock(pool: ArrowPool) -> None:
    script = PREAMBLE + textwrap.dedent("""
        def slowly():
            yield seed_item("seed", "una")
            here()
        pool.append(slowly())
        """)
    command = [sys.executable, "-c", script, str(pool._folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "here\n"
            impatient = ArrowPool(pool._folder, lock_timeout=0.1)
            with pytest.raises(PoolError, match=f"process {process.pid} on .* has been writing"):
                impatient.append([seed_item("seed", "due")])
            assert len(impatient) == 0, "reading needs no lock"
        finally:
            process.kill()
    assert impatient.append([seed_item("seed", "due")]) == (1, 0), "the lock died with its holder"


def test_two_writers_take_turns(pool: ArrowPool) -> None:
    script = PREAMBLE + textwrap.dedent("""
        for start in range(0, 200, 10):
            pool.append(seed_item("seed", f"frase {i}") for i in range(start, start + 15))
        """)
    command = [sys.executable, "-c", script, str(pool._folder)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    texts = pool.texts(range(len(pool)))
    assert sorted(texts) == sorted({f"frase {i}" for i in range(205)})


def test_a_shard_without_rows_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty table is false, but it is open."""
    opened = []

    def open_shard(folder: Path, shard: Shard) -> pa.Table:
        opened.append(shard)
        return pa.table({"id": []})

    monkeypatch.setattr(series, "open_shard", open_shard)
    shards = (Shard("items", 0, 0, 0, 0, 0),)
    first = Series(tmp_path, shards, None)
    assert Series(tmp_path, shards, first).tables == first.tables
    assert len(opened) == 1
