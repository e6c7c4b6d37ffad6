"""Rows that are removed from the pool are as if they had never been added."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.item import Ad, Item, real_item
from biasloop.domain.split import Split
from biasloop.store.pool import ArrowPool


def item_of(name: str, text: str = "Frase") -> tuple[Ad, Item]:
    ad = Ad(f"ad-{name}", f"{text} {name}.", "Titolo")
    return ad, real_item(ad, 0, len(ad.text), Split.TRAIN)


def add(pool: ArrowPool, *names: str) -> list[Item]:
    pairs = [item_of(name) for name in names]
    pool.append([item for _, item in pairs], [ad for ad, _ in pairs])
    return [item for _, item in pairs]


def test_what_is_removed_leaves_no_trace_and_may_come_back(tmp_path: Path) -> None:
    pool = ArrowPool(tmp_path / "pool")
    items = add(pool, "a", "b", "c")
    reader = ArrowPool(tmp_path / "pool")
    assert reader.rows_of([items[1].id]).tolist() == [1]

    pool.remove(np.array([1]), ["ad-b"])

    assert reader.rows_of([item.id for item in items]).tolist() == [0, -1, 2]
    assert reader.texts(range(3)) == ["Frase a.", "", "Frase c."]
    assert reader.column("erased").tolist() == [False, True, False]
    assert [reader.column(name)[1] for name in ("ad_id", "root", "text_hash")] == ["", "", ""]
    assert reader.items([0, 2]) == [items[0], items[2]]
    assert reader.ads(["ad-b"]) == {}
    assert [ad.id for ad in reader.all_ads()] == ["ad-a", "ad-c"]
    stats = reader.stats()
    assert (stats.items, stats.ads, stats.erased_items, stats.erased_ads) == (2, 2, 0, 0)
    assert b"Frase b." not in b"".join(f.read_bytes() for f in (tmp_path / "pool").iterdir())

    again = item_of("b")
    assert pool.append([again[1]], [again[0]]) == (1, 0)
    assert reader.rows_of([item.id for item in items]).tolist() == [0, 3, 2]
    assert reader.items([3]) == [items[1]]


def test_what_was_taken_down_stays_known(tmp_path: Path) -> None:
    pool = ArrowPool(tmp_path / "pool")
    items = add(pool, "a", "b")
    pool.erase("ad-a")
    pool.remove(np.array([0, 1]), ["ad-a", "ad-b"])
    assert pool.rows_of([item.id for item in items]).tolist() == [0, -1]
    assert pool.ads(["ad-a", "ad-b"]).keys() == {"ad-a"}
    assert pool.stats().erased_items == 1


NAMES = st.sets(st.sampled_from("abcdefgh"), min_size=1)


@settings(max_examples=30, deadline=None)
@given(acts=st.lists(st.tuples(st.sampled_from(["add", "remove", "erase"]), NAMES), max_size=12))
def test_any_history_of_adding_removing_and_erasing(
    acts: list[tuple[str, set[str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Against a plain dictionary; also a reader that was open all the time, and one that was
    opened at the end."""
    folder = tmp_path_factory.mktemp("pool")
    pool, reader = ArrowPool(folder), ArrowPool(folder)
    texts: dict[str, str] = {}
    for act, names in acts:
        ids = {name: item_of(name)[1].id for name in sorted(names)}
        rows = reader.rows_of(list(ids.values()))
        if act == "add":
            add(pool, *ids)
            texts |= {name: f"Frase {name}." for name in ids if name not in texts}
        elif act == "remove":
            pool.remove(rows[rows >= 0], [f"ad-{name}" for name in ids])
            texts = {n: text for n, text in texts.items() if n not in ids or not text}
        else:
            for name in ids.keys() & texts.keys():
                pool.erase(f"ad-{name}")
                texts[name] = ""
    for view in (reader, ArrowPool(folder)):
        rows = view.rows_of([item_of(name)[1].id for name in "abcdefgh"])
        known = {
            name: view.texts([row])[0]
            for name, row in zip("abcdefgh", rows, strict=True)
            if row >= 0
        }
        assert known == texts
        ads = view.ads([f"ad-{name}" for name in "abcdefgh"])
        assert {ad_id.removeprefix("ad-"): ad.text for ad_id, ad in ads.items()} == texts
        assert view.stats().items == sum(bool(text) for text in texts.values())
