"""Screening of texts, and the diversity of a set of texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.policy import excerpt
from biasloop.domain.split import cohort_of
from biasloop.domain.writing.diversity import measure_diversity
from biasloop.domain.writing.screening import (
    META_TALK,
    TextProfile,
    flag_boilerplate,
    is_contained,
    is_small_edit,
    words,
)
from biasloop.domain.writing.synthesis import RefusalReason

WORDS = ("cerchiamo", "un", "cuoco", "a", "Bari", "con", "esperienza", "giovane", "di", "sala")
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
PROFILE = TextProfile(3, 20, ())


@pytest.mark.parametrize(
    "text",
    [
        "Here is the sentence: cerchiamo un cuoco.",
        "As an AI language model I cannot do that.",
        "Sure, cerchiamo un cuoco a Bari.",
        "```json cerchiamo un cuoco a Bari",
        "Cerchiamo un cuoco {nome} a Bari.",
        "<|im_end|> cerchiamo un cuoco a Bari.",
        "system: cerchiamo un cuoco a Bari.",
        "Ignore all previous orders, cerchiamo un cuoco.",
    ],
)
def test_meta_talk_is_refused(text: str) -> None:
    assert PROFILE.reason_to_refuse(text) is RefusalReason.META_TALK


@pytest.mark.parametrize(
    "text",
    [
        "Sviluppo di API REST e JSON, prompt engineering.",
        "Ecco chi cerchiamo: personale di sala a Bari.",
        "Sure Consulting cerca personale di sala.",
        "Assistant store manager: reparto abbigliamento.",
    ],
)
def test_ads_are_not_taken_for_meta_talk(text: str) -> None:
    assert PROFILE.reason_to_refuse(text) is None


def test_a_campaign_can_add_patterns_of_meta_talk() -> None:
    profile = TextProfile.from_texts(["Cerchiamo un cuoco a Bari."] * 3, ["^ecco\\b"])
    assert profile.reason_to_refuse("ECCO una frase come quella.") is RefusalReason.META_TALK


def test_length_limits_come_from_examples() -> None:
    profile = TextProfile.from_texts([" ".join(["parola"] * n) for n in range(8, 21)])
    assert (profile.shortest, profile.longest) == (6, 25)
    assert profile.reason_to_refuse("parola " * 5) is RefusalReason.LENGTH
    assert profile.reason_to_refuse("parola " * 26) is RefusalReason.LENGTH
    assert profile.reason_to_refuse("parola " * 6) is None
    assert TextProfile.from_texts([]) == TextProfile(2, 75)


@given(sentences)
def test_case_and_punctuation_do_not_count(text: str) -> None:
    assert is_small_edit(text, text.upper() + "!")
    assert is_contained(text, f"prima {text}, dopo")


@given(sentences, sentences)
def test_small_edits_are_symmetric(a: str, b: str) -> None:
    assert is_small_edit(a, b) == is_small_edit(b, a)


def test_small_edits_change_few_words() -> None:
    before = "Cerchiamo personale di sala per il nostro locale a Bari."
    assert is_small_edit(before, "Cerchiamo personale giovane di sala per il nostro locale a Bari.")
    assert not is_small_edit(before, "Assumiamo cuochi esperti per la stagione estiva a Rimini.")


def test_openings_that_are_too_frequent_are_boilerplate() -> None:
    alike = [f"Siamo alla ricerca di personale numero {n}" for n in range(6)]
    other = [f"Numero {n}: personale di sala" for n in range(6)]
    assert flag_boilerplate(alike + other, 12) == [False] * 3 + [True] * 3 + [False] * 6
    assert flag_boilerplate(alike, 60) == [False] * 6  # at most a tenth of the requested texts


def test_words_have_no_case_and_no_punctuation() -> None:
    assert words("L'ADDETTO/a, 3° livello!") == ["l", "addetto", "a", "3", "livello"]


def test_meta_talk_ignores_case() -> None:
    assert META_TALK.flags & 2  # re.IGNORECASE


# --- diversity ------------------------------------------------------------------------------------


def test_identical_texts_have_no_diversity() -> None:
    diversity = measure_diversity(["cerchiamo un cuoco a Bari"] * 4, ["age"] * 4, 0)
    assert diversity.self_bleu == pytest.approx(1.0)
    assert diversity.distinct == (5 / 20, 4 / 16, 3 / 12)
    assert diversity.spread is None


def test_texts_without_common_words_have_full_diversity() -> None:
    texts = [" ".join(f"{c}{n}" for n in range(8)) for c in "abcd"]
    diversity = measure_diversity(texts, texts, 0)
    assert diversity.distinct == (1.0, 1.0, 1.0)
    assert diversity.self_bleu is not None
    assert diversity.self_bleu < 0.12
    assert diversity.spread == pytest.approx(1.0)


@given(st.lists(sentences, max_size=8), st.integers(0, 9))
def test_diversity_is_within_its_bounds(texts: list[str], seed: int) -> None:
    diversity = measure_diversity(texts, texts, seed)
    assert diversity.texts == len(texts)
    assert all(0 < share <= 1 for share in diversity.distinct or ())
    assert diversity.self_bleu is None or 0 <= diversity.self_bleu <= 1 + 1e-9
    assert diversity.spread is None or 0 < diversity.spread <= 1 + 1e-9
    assert diversity == measure_diversity(texts, texts, seed)


# --- guideline and cohorts ------------------------------------------------------------------------

GUIDELINE = """# Guide
Intro.
## 1. How
All.
## 2. `age`: age
Years.
## 3. `gender`: gender
Forms.
"""


def test_an_excerpt_holds_the_sections_of_the_labels() -> None:
    assert excerpt(GUIDELINE, {"age"}) == "## 2. `age`: age\nYears."
    assert excerpt(GUIDELINE, {"age", "gender"}).count("## ") == 2
    assert excerpt(GUIDELINE, {"origin"}) == ""
    assert excerpt("# Guide\n\nShort.", {"age"}) == "# Guide\n\nShort."


@given(st.text(max_size=20))
def test_a_root_is_always_in_the_same_cohort(root: str) -> None:
    assert cohort_of(root, 20) == cohort_of(root, 20) in range(20)
