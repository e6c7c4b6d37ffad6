"""The words of a language make no heading of what may be labelled, and nothing gets lost."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from biasloop.intake.lines import Line, is_heading
from biasloop.intake.sentences import sentences, sentences_and_headings
from biasloop.intake.wording import wording_of


def test_no_word_of_a_heading_names_a_person() -> None:
    campaign = Path(__file__).parents[2] / "annotation_config" / "job_ads_it" / "counterfactual"
    persons = {
        word
        for name in ("occupations.csv", "persons.csv")
        for line in (campaign / name).read_text("utf-8").splitlines()[1:]
        for word in line.split(",")[:4]
    }
    wording = wording_of("it")
    assert len(persons) > 500
    assert not persons & (wording.headings | wording.goes_on_after)


@given(
    st.lists(st.sampled_from(sorted(wording_of("it").headings)), min_size=1, max_size=4), st.data()
)
def test_one_word_that_is_no_heading_makes_content(words: list[str], data: st.DataObject) -> None:
    other = data.draw(
        st.sampled_from(["commessa", "uomini", "30 anni", "giovane", "italiana", "candidato"])
    )
    words.insert(data.draw(st.integers(0, len(words))), other)
    text = " ".join(words).capitalize() + ":"
    assert not is_heading(Line(0, len(text), text), wording_of("it"))


LINES = st.lists(
    st.sampled_from([
    "Requisiti:", "Chi siamo", "Cercasi", "commessa di", "Bella presenza", "• Diploma;",
    "- automunita e", "   che lavora", "per Lodi. Si offre", "**Sede**", "", "  ", "---", "2024",
    "Art. 2 – Prove", "di", "Persone affidabili e puntuali, con esperienza nella vendita di abiti",
    "S.p.A. cerca", "\u00ad", "_",
    ]),
    max_size=14,
)  # fmt: skip


@given(
    LINES,
    st.sampled_from(["\n", "\r\n", "\n\n", "\u2028"]),
    st.sampled_from(["it", "en", "de", ""]),
)
def test_every_letter_is_in_one_sentence_or_heading(
    lines: list[str], end_of_line: str, language: str
) -> None:
    text = end_of_line.join(lines)
    place, left_out = 0, ""
    parts = sentences_and_headings(text, language)
    assert sentences(text, language) == [span for span, heading in parts if not heading]
    for (start, end), _ in parts:
        assert place <= start < end
        left_out += text[place:start]
        place = end
    assert not any(map(str.isalpha, left_out + text[place:]))
