"""One occupation is replaced by another."""

import pytest

from biasloop.plugins.expanders.occupations import occupation_versions
from biasloop.plugins.language.data import Language


def texts(text: str, language: Language) -> set[str]:
    return {draft.text for draft in occupation_versions(text, ("gender",), language)}


def test_any_sector_where_no_word_belongs_to_a_trade(italian: Language) -> None:
    made = texts("Cercasi saldatore con esperienza, zona Bari.", italian)
    assert "Cercasi cameriere con esperienza, zona Bari." in made
    # nobody hires one like this, though it shares the pattern
    assert "Cercasi senatore con esperienza, zona Bari." not in made
    assert "Cercasi avicoltore con esperienza, zona Bari." not in made
    assert "Cercasi saldatore con esperienza, zona Bari." not in made
    # another pattern of gender would change more than one thing
    assert "Cercasi barista con esperienza, zona Bari." not in made


def test_the_same_trade_where_a_place_belongs_to_it(italian: Language) -> None:
    made = texts("Cercasi cuoco per ristorante in centro.", italian)
    assert "Cercasi cameriere per ristorante in centro." in made
    assert "Cercasi saldatore per ristorante in centro." not in made


def test_a_rare_occupation_only_for_another_of_its_trade(italian: Language) -> None:
    made = texts("Cercasi incastonatore con esperienza, zona Arezzo.", italian)
    assert made == {
        "Cercasi orafo con esperienza, zona Arezzo.",
        "Cercasi cesellatore con esperienza, zona Arezzo.",
    }


def test_a_word_of_a_trade_that_the_occupation_is_not_of(italian: Language) -> None:
    assert texts("Cercasi cuoco per cantiere in centro.", italian) == set()


def test_articles_and_number_follow(italian: Language) -> None:
    made = texts("Cerchiamo un saldatore con esperienza.", italian)
    assert "Cerchiamo un idraulico con esperienza." in made
    made = texts("Cerchiamo una cesellatrice con esperienza.", italian)
    assert "Cerchiamo un'orafa con esperienza." in made
    made = texts("Cercasi mungitore per stalla.", italian)
    assert made == {"Cercasi stalliere per stalla."}
    made = texts("Gli intonacatori lavorano su turni.", italian)
    assert "I muratori lavorano su turni." in made
    made = texts("Cerchiamo un allenatore con esperienza.", italian)
    assert made == {"Cerchiamo un istruttore con esperienza."}


@pytest.mark.parametrize(
    "text",
    [
        "Cercasi saldatore TIG con patentino.",  # what is said fits only this occupation
        "Cercasi saldatore e tornitore con esperienza.",
        "Cercasi addetto con esperienza.",  # says too little without its complement
        "Cercasi persona con esperienza.",
        "Cercasi saldatore/trice con esperienza.",
    ],
)
def test_nothing_where_it_would_make_no_sense(text: str, italian: Language) -> None:
    assert texts(text, italian) == set()


def test_labels_stay_and_the_place_is_recorded(italian: Language) -> None:
    made = list(occupation_versions("Cercasi cuoco con esperienza.", ("gender", "age"), italian))
    assert {(draft.labels, draft.operation) for draft in made} == {
        (("gender", "age"), "occupation@8")
    }
