"""Pairs that contradict or repeat each other, or say nothing, do not teach."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.pair import Pair, PairSource, longer_chosen_share, screen_pairs

PAIR = Pair(
    "a", ("root",), "", "Riscrivi", "Cerchiamo persone", "Cerchiamo uomini", PairSource.SEED
)
words = st.sampled_from(["", " ", "uno", "due", "tre "])


def test_contradictions_and_repetitions_name_both() -> None:
    opposite = replace(PAIR, id="b", chosen=PAIR.rejected, rejected=PAIR.chosen)
    usable, refused = screen_pairs([PAIR, opposite])
    assert usable == []
    assert [(r.id, r.other) for r in refused] == [("a", "b"), ("b", "a")]
    assert str(refused[0]) == "a (and b): preferred both ways"
    usable, refused = screen_pairs([PAIR, replace(PAIR, id="c")])
    assert usable == [PAIR]
    assert [(r.id, r.other, r.why) for r in refused] == [("c", "a", "the same pair twice")]


@given(st.lists(st.tuples(words, words, words), max_size=12))
def test_every_pair_is_usable_or_refused(texts: list[tuple[str, str, str]]) -> None:
    pairs = [
        replace(PAIR, id=str(number), prompt=prompt, chosen=chosen, rejected=rejected)
        for number, (prompt, chosen, rejected) in enumerate(texts)
    ]
    usable, refused = screen_pairs(pairs)
    assert sorted([p.id for p in usable] + [r.id for r in refused]) == sorted(p.id for p in pairs)
    kept = {(p.prompt, p.chosen.strip(), p.rejected.strip()) for p in usable}
    assert len(kept) == len(usable)
    assert all(prompt and chosen and rejected for prompt, chosen, rejected in kept)
    assert all(chosen != rejected for _, chosen, rejected in kept)
    assert not any((prompt, rejected, chosen) in kept for prompt, chosen, rejected in kept)


def test_the_share_of_longer_preferred_answers() -> None:
    assert longer_chosen_share([]) == 0
    assert longer_chosen_share([PAIR, replace(PAIR, chosen="Uno")]) == 0.5
