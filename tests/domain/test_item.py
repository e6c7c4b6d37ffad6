"""Splits and items: the split of a root never changes, and nothing descends from audit items."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from biasloop.domain.item import (
    Ad,
    Item,
    Origin,
    item_id,
    real_item,
    seed_item,
    synthetic_item,
    text_hash,
)
from biasloop.domain.policy import Policy
from biasloop.domain.split import Split, split_of

AUDIT, TRAIN = Split.AUDIT, Split.TRAIN
words = st.text(alphabet="abcdefghìèéòàùABCÈÀ' ", max_size=30)


# --- split ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_a_fifth_of_the_roots_is_audit(seed: int) -> None:
    n = 20_000
    audit = sum(split_of(f"ad-{i}", seed) is AUDIT for i in range(n))
    assert abs(audit / n - 0.2) < 5 * (0.2 * 0.8 / n) ** 0.5  # five standard deviations


def test_the_split_of_a_root_never_changes() -> None:
    """Pinned: another hash would move audit items of running campaigns into training."""
    assert [i for i in range(40) if split_of(f"ad-{i}", 0) is AUDIT] == [
        14,
        15,
        16,
        18,
        19,
        25,
        26,
        27,
        35,
        39,
    ]
    assert [i for i in range(40) if split_of(f"ad-{i}", 7) is AUDIT] == [
        9,
        14,
        20,
        23,
        25,
        28,
        29,
        39,
    ]


@given(st.text(), st.integers(0, 2**63), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds_audit_roots(root: str, seed: int, one: float, two: float) -> None:
    small, large = sorted((one, two))
    assert split_of(root, seed, 0) is TRAIN
    assert split_of(root, seed, 1) is AUDIT
    if split_of(root, seed, small) is AUDIT:
        assert split_of(root, seed, large) is AUDIT


# --- ids ------------------------------------------------------------------------------------------


def test_ids_never_change() -> None:
    """Pinned: ids are stored in ledgers and in Label Studio."""
    assert item_id("ad-1", 0, 5, "Prova") == "99032498ccf6f5b7218a"
    assert text_hash("Città  di  Roma") == "bc17910daebcaed9cb6a"
    assert Policy("Linee guida").id == "85bcca8aa7d5"


@given(st.tuples(words, st.integers(0), st.integers(0), words))
def test_an_id_depends_on_every_part(parts: tuple[str, int, int, str]) -> None:
    root, start, end, text = parts
    others = [
        (root + "x", start, end, text),
        (root, start + 1, end, text),
        (root, start, end + 1, text),
        (root, start, end, text + "x"),
    ]
    ids = {item_id(*parts), *(item_id(*other) for other in others)}
    assert len(ids) == 5
    assert all(len(id_) == 20 for id_ in ids)


@given(st.text(), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@example("perché", "NFD")
@example("\ufb01nanza", "NFKC")
def test_a_text_hash_ignores_unicode_form(text: str, form: str) -> None:
    assert text_hash(unicodedata.normalize(form, text)) == text_hash(text)


@given(words)
def test_a_text_hash_ignores_case_and_white_space(text: str) -> None:
    spaced = "\n\t" + text.upper().replace(" ", " \u00a0 ") + "  "
    assert text_hash(spaced) == text_hash(text)


@given(words, words)
def test_different_words_have_different_text_hashes(one: str, two: str) -> None:
    same = one.casefold().split() == two.casefold().split()
    assert (text_hash(one) == text_hash(two)) == same


def test_even_broken_unicode_has_an_id() -> None:
    assert text_hash("\ud83d") != text_hash("\ud83e")
    assert item_id("\ud83d", 0, 1, "\ud83d") != item_id("\ud83e", 0, 1, "\ud83d")


# --- items ----------------------------------------------------------------------------------------


def test_a_real_item_is_part_of_its_ad() -> None:
    ad = Ad("ad-1", "Cerchiamo un cuoco. Età massima 30 anni.", language="it")
    item = real_item(ad, 20, 40, AUDIT, "ristorazione")
    assert item.text == "Età massima 30 anni."
    assert (item.roots, item.ad_id, item.origin) == (("ad-1",), "ad-1", Origin.REAL)
    assert (item.split, item.group) == (AUDIT, "ristorazione")
    assert item.id == item_id("ad-1", 20, 40, item.text)
    assert item.text_hash == text_hash(item.text)


@given(st.text(), words)
def test_a_seed_is_always_train(root: str, text: str) -> None:
    """Even if the hash of its root would make it audit: audit items are real ads only."""
    item = seed_item(root, text)
    assert (item.split, item.origin, item.roots) == (TRAIN, Origin.SEED, (root,))
    assert item.ad_id == ""


@st.composite
def real_items(draw: st.DrawFn) -> Item:
    root = draw(st.sampled_from(["ad-1", "ad-2", "ad-3"]))
    split = draw(st.sampled_from(Split))
    return real_item(Ad(root, "Cerchiamo un cuoco."), 0, 9, split, root)


@given(st.lists(real_items(), min_size=1, max_size=4))
def test_nothing_synthetic_descends_from_audit(parents: list[Item]) -> None:
    if any(parent.split is AUDIT for parent in parents):
        with pytest.raises(ValueError, match="train items only"):
            synthetic_item(tuple(parents), "Cerchiamo una cuoca.", "gender")
        return
    item = synthetic_item(tuple(parents), "Cerchiamo una cuoca.", "gender")
    assert (item.split, item.origin, item.operation) == (TRAIN, Origin.SYNTHETIC, "gender")
    assert item.roots == tuple(sorted({root for p in parents for root in p.roots}))
    assert item.parents == tuple(parent.id for parent in parents)
    assert item.group == parents[0].group
    # The order of the parents is no difference between two versions.
    assert synthetic_item(tuple(reversed(parents)), item.text, "gender").id == item.id
    # Items made from it descend from the same roots.
    assert synthetic_item((item,), "Si cerca una cuoca.", "style").roots == item.roots
