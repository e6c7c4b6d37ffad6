"""What holds for every sentence of a grammar, and for the campaign's own data."""

import csv
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from biasloop.plugins.expanders.clauses import read_clauses
from biasloop.plugins.expanders.gender import gender_versions
from biasloop.plugins.expanders.labels import read_names
from biasloop.plugins.language.data import COLUMNS, Entry, read_language

DATA = Path(__file__).parents[3] / "annotation_config" / "job_ads_it" / "counterfactual"
ITALIAN = read_language(DATA)
assert ITALIAN is not None
NAMES = read_names(DATA / "labels.toml")
CLAUSES = read_clauses(DATA / "clauses.toml")

OCCUPATIONS = [
    entry
    for entry in ITALIAN.occupations
    if " " not in entry.forms["ms"] and ITALIAN.persons[entry.forms["ms"]].entry is entry
]
QUALITIES = sorted(
    {
        reading.entry.forms["ms"]: reading.entry
        for reading in ITALIAN.qualities.values()
        if reading.entry.role == "person" and not reading.entry.epicene("s")
    }.items()
)

WORDS = ["il", "un", "una", "cuoco", "cuoca", "e", ",", ".", "esperto", "sarà", "gli", "di"]
nouns = st.sampled_from(OCCUPATIONS)
qualities = st.sampled_from([entry for _, entry in QUALITIES])


@st.composite
def sentences(draw: st.DrawFn) -> str:
    """Sentences about one person in the masculine, with agreement in several places."""
    noun, first, second = draw(nouns), draw(qualities), draw(qualities)
    number = draw(st.sampled_from("sp"))

    def form(entry: Entry) -> str:
        return entry.forms["m" + number]

    shape = draw(
        st.sampled_from(
            [
                "{noun} {first}",
                "Cerchiamo {noun} con esperienza, {first} e {second}.",
                "Cercasi {noun} {first} per nuova apertura.",
            ]
        )
    )
    return shape.format(noun=form(noun), first=form(first), second=form(second))


def forms_of(text: str, labels: tuple[str, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        draft.operation.partition("@")[0]: (draft.text, draft.labels)
        for draft in gender_versions(text, labels, ITALIAN, NAMES)
    }


@settings(max_examples=300, deadline=None)
@given(sentences())
def test_forms_can_be_changed_back(text: str) -> None:
    """Masculine to feminine and back, and over the slash pair, where the forms differ."""
    made = forms_of(text, ("gender",))
    assume("gender:feminine" in made)
    feminine, labels = made["gender:feminine"]
    assert labels == ("gender",)
    back = forms_of(feminine, labels)
    if "gender:masculine" in back:
        assert back["gender:masculine"][0] == text
    paired, labels = made["gender:paired"]
    assert labels == ("inclusive",)
    if again := forms_of(paired, labels):
        assert again["gender:masculine"] == (text, ("gender",))
        assert again["gender:feminine"] == (feminine, ("gender",))


@settings(max_examples=200, deadline=None)
@given(sentences(), st.sampled_from([("gender",), ("inclusive",), ("age", "gender")]))
def test_labels_are_of_the_parent_or_gender(text: str, labels: tuple[str, ...]) -> None:
    for made, after in forms_of(text, labels).values():
        assert made != text
        assert set(after) <= {*labels, "gender", "inclusive"}
        assert after
        assert "inclusive" not in after or after == ("inclusive",)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_read_without_failing(text: str) -> None:
    forms_of(text, ("gender",))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS)))
def test_any_row_of_words_is_read_without_failing(words: list[str]) -> None:
    forms_of(" ".join(words), ("gender",))


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_occupation_has_all_its_forms() -> None:
    for row in rows("occupations.csv"):
        assert all(row[column].strip() == row[column] != "" for column in COLUMNS), row


def test_other_people_have_their_forms_or_only_one_gender_and_are_then_left_alone() -> None:
    for row in rows("persons.csv"):
        forms = [row[column] for column in COLUMNS]
        assert any(forms), row
        assert all(form.strip() == form for form in forms), row
        if not all(forms):
            assert forms_of(f"Cerchiamo {next(filter(None, forms))}.", ("gender",)) == {}, row


def test_the_lexicon_is_large_and_says_what_is_epicene() -> None:
    occupations = rows("occupations.csv")
    assert len(occupations) >= 300
    assert len({row["masculine"] for row in occupations}) == len(occupations)
    for row in occupations:
        assert row["sector"]
        assert (row["epicene"] == "yes") == (row["masculine"] == row["feminine"]), row


def test_clause_texts_have_no_gender_of_their_own() -> None:
    """A clause fits any person, so no word in it may be a person's or change with the gender of
    a person who is not named in it."""
    for clause in CLAUSES.clauses:
        for text in clause.texts:
            assert clause.cue.search(text), text
            assert forms_of(text, ("gender",)) == {}, text
