"""What is wrong with a text, as far as the text tells; how varied a set of texts is."""

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
MEASURE = TextProfile(3, 20, ())


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
def test_talk_about_the_work_is_refused(text: str) -> None:
    assert MEASURE.reason_to_refuse(text) is RefusalReason.META_TALK


@pytest.mark.parametrize(
    "text",
    [
        "Sviluppo di API REST e JSON, prompt engineering.",
        "Ecco chi cerchiamo: personale di sala a Bari.",
        "Sure Consulting cerca personale di sala.",
        "Assistant store manager: reparto abbigliamento.",
    ],
)
def test_ads_are_no_talk(text: str) -> None:
    assert MEASURE.reason_to_refuse(text) is None


def test_a_campaign_knows_more_talk() -> None:
    measure = TextProfile.from_texts(["Cerchiamo un cuoco a Bari."] * 3, ["^ecco\\b"])
    assert measure.reason_to_refuse("ECCO una frase come quella.") is RefusalReason.META_TALK


def test_lengths_are_those_of_the_campaign_with_some_room() -> None:
    measure = TextProfile.from_texts([" ".join(["parola"] * n) for n in range(8, 21)])
    assert (measure.shortest, measure.longest) == (6, 25)
    assert measure.reason_to_refuse("parola " * 5) is RefusalReason.LENGTH
    assert measure.reason_to_refuse("parola " * 26) is RefusalReason.LENGTH
    assert measure.reason_to_refuse("parola " * 6) is None
    assert TextProfile.from_texts([]) == TextProfile(2, 75)


@given(sentences)
def test_a_text_is_a_small_edit_and_a_piece_of_itself(text: str) -> None:
    assert is_small_edit(text, text.upper() + "!")
    assert is_contained(text, f"prima {text}, dopo")


@given(sentences, sentences)
def test_edits_are_small_both_ways(a: str, b: str) -> None:
    assert is_small_edit(a, b) == is_small_edit(b, a)


def test_an_edit_changes_few_words() -> None:
    before = "Cerchiamo personale di sala per il nostro locale a Bari."
    assert is_small_edit(before, "Cerchiamo personale giovane di sala per il nostro locale a Bari.")
    assert not is_small_edit(before, "Assumiamo cuochi esperti per la stagione estiva a Rimini.")


def test_what_too_many_begin_with_is_boilerplate() -> None:
    alike = [f"Siamo alla ricerca di personale numero {n}" for n in range(6)]
    other = [f"Numero {n}: personale di sala" for n in range(6)]
    assert flag_boilerplate(alike + other, 12) == [False] * 3 + [True] * 3 + [False] * 6
    assert flag_boilerplate(alike, 60) == [False] * 6  # a tenth of what was asked for


def test_words_have_no_case_and_no_marks() -> None:
    assert words("L'ADDETTO/a, 3° livello!") == ["l", "addetto", "a", "3", "livello"]


def test_a_pattern_of_the_package_compiles_for_all() -> None:
    assert META_TALK.flags & 2  # re.IGNORECASE


# --- diversity ------------------------------------------------------------------------------------


def test_the_same_text_again_has_no_variety() -> None:
    found = measure_diversity(["cerchiamo un cuoco a Bari"] * 4, ["age"] * 4, 0)
    assert found.self_bleu == pytest.approx(1.0)
    assert found.distinct == (5 / 20, 4 / 16, 3 / 12)
    assert found.spread is None


def test_texts_without_a_common_word_have_all() -> None:
    texts = [" ".join(f"{c}{n}" for n in range(8)) for c in "abcd"]
    found = measure_diversity(texts, texts, 0)
    assert found.distinct == (1.0, 1.0, 1.0)
    assert found.self_bleu is not None
    assert found.self_bleu < 0.12
    assert found.spread == pytest.approx(1.0)


@given(st.lists(sentences, max_size=8), st.integers(0, 9))
def test_diversity_is_within_its_bounds(texts: list[str], seed: int) -> None:
    found = measure_diversity(texts, texts, seed)
    assert found.texts == len(texts)
    assert all(0 < share <= 1 for share in found.distinct or ())
    assert found.self_bleu is None or 0 <= found.self_bleu <= 1 + 1e-9
    assert found.spread is None or 0 < found.spread <= 1 + 1e-9
    assert found == measure_diversity(texts, texts, seed)


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


def test_an_excerpt_is_the_sections_of_the_labels() -> None:
    assert excerpt(GUIDELINE, {"age"}) == "## 2. `age`: age\nYears."
    assert excerpt(GUIDELINE, {"age", "gender"}).count("## ") == 2
    assert excerpt(GUIDELINE, {"origin"}) == ""
    assert excerpt("# Guide\n\nShort.", {"age"}) == "# Guide\n\nShort."


@given(st.text(max_size=20))
def test_a_root_is_always_in_the_same_cohort(root: str) -> None:
    assert cohort_of(root, 20) == cohort_of(root, 20) in range(20)
