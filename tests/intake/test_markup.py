"""HTML is taken away at import and before a verdict; what only looks like it stays."""

import html
import html.entities
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.label import Scheme
from biasloop.domain.learning import Evidence
from biasloop.intake.files import BadRow
from biasloop.intake.markup import clean_row, without_markup
from biasloop.intake.rows import Row
from biasloop.intake.sentences import sentences
from biasloop.intake.texts import Text
from biasloop.plugins.loaded_model import LoadedModel
from biasloop.reports.classify import classify

SEEDS = [
    row["text"]
    for path in sorted(Path(__file__).parents[2].glob("seeds/*/*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
    if (row := json.loads(line)).get("labels") is not None
]


def cut(text: str) -> list[str]:
    shown = without_markup(text).text
    return [shown[start:end] for start, end in sentences(shown, "it")]


def entities(text: str) -> str:
    """The text with entities for every character that has a name or is not ASCII."""
    escaped = html.escape(text)
    return re.sub(
        r"[^\x00-\x7f]",
        lambda match: f"&{name};" if (name := NAMES.get(match[0])) else f"&#{ord(match[0])};",
        escaped,
    )


NAMES = {character: name[:-1] for name, character in html.entities.html5.items() if name[-1] == ";"}


def test_an_ad_in_html_is_cut_as_a_browser_shows_it() -> None:
    ad = (
        "<p>Ristorante in centro cerca <b>una cameriera</b>.</p><ul><li>Et&agrave; massima 30 anni"
        "</li>\n<li>Disponibilit&agrave;\nnel weekend</li></ul><br/>Inviare CV a&nbsp;job@a.it"
        "<style>p {color: red}</style><!-- <p>no</p> --><SCRIPT>alert('<p>Ciao</p>')</SCRIPT>"
    )
    assert cut(ad) == [
        "Ristorante in centro cerca una cameriera.",
        "Età massima 30 anni",
        "Disponibilità nel weekend",
        "Inviare CV a\u00a0job@a.it",
    ]
    assert cut(html.escape(ad)) == cut(html.escape(html.escape(ad))) == cut(ad)
    assert cut("Negozio cerca commessa.<br>Età 20-30 anni.<br>Si offre contratto.") == [
        "Negozio cerca commessa.",
        "Età 20-30 anni.",
        "Si offre contratto.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "R&D e C&A",
        "a < b > c",
        "<nome> e <cognome>",
        "<3",
        "List<String>",
        "<https://a.it>",
        "&pippo;",
    ],
)
def test_what_only_looks_like_html_stays(text: str) -> None:
    assert without_markup(text).text == text
    assert without_markup(text).starts is None


def test_every_seed_is_the_same_in_html() -> None:
    for text in SEEDS:
        assert without_markup(f"<p>{html.escape(text)}</p>").text == text.strip()
        assert without_markup(entities(text)).text == text
        shown = without_markup(f"<ul><li>{entities(text)}</li></ul>")
        start = shown.text.index(text)
        first, last = shown.original_span(start, start + len(text))
        assert f"<ul><li>{entities(text)}</li></ul>"[first:last] == entities(text)


FRAGMENTS = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<b ", ">", "<!--", "-->", "<script>", "</script>", "&agrave;", "&amp;",
         "lt;", "<", "à", " ", "\n", "testo", "<a href='x'>", "&#0;", "&#xd800;", "&#1;"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@given(FRAGMENTS)
def test_every_character_has_its_place(text: str) -> None:
    shown = without_markup(text)
    places = [shown.original_span(i, i + 1) for i in range(len(shown.text))]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)


@pytest.mark.parametrize(
    "shape", ["<", "<a ", "</", "<!--", "<!", "&", "&#", '<a href="', "<p", "&amp"]
)
def test_hostile_markup_is_read_in_few_steps(shape: str) -> None:
    """Python's own parser takes minutes for some of these. Nothing is read more than once."""
    text = (shape * 100_000)[:100_000]
    assert without_markup(text).text == text


def test_a_row_keeps_its_id_and_its_spans_move() -> None:
    text = "<p>Et&agrave; massima 30 anni</p>"
    span = {"start": 3, "end": text.index(" 30"), "label": "age"}
    row = Row(1, text, extra={"spans": [span], "rewrite": "<p>Ciao</p>"})
    cleaned = clean_row(row, "clean")
    assert cleaned.ad_id == row.ad_id
    moved = cleaned.extra["spans"][0]
    assert cleaned.text[moved["start"] : moved["end"]] == "Età massima"
    assert cleaned.extra["rewrite"].strip() == "Ciao"
    assert clean_row(row, "keep") is row
    with pytest.raises(BadRow, match="contains HTML"):
        clean_row(row, "refuse")
    with pytest.raises(BadRow, match="nothing but HTML"):
        clean_row(Row(1, "<p></p>"), "clean")
    plain = Row(2, "Cercasi cuoco.")
    assert all(clean_row(plain, way) is plain for way in ("clean", "refuse", "keep"))


@pytest.mark.parametrize("field", ["text", "title", "context", "rewrite"])
def test_html_in_any_field_is_taken_away(field: str) -> None:
    span = {"start": 0, "end": 4, "label": "age"}
    plain = {"text": "Ciao a tutti", "title": "Cuoca", "context": "Ciao a tutti", "rewrite": "Ehi"}

    def row(**values: str) -> Row:
        rewrite = values.pop("rewrite")
        return Row(1, **values, extra={"rewrite": rewrite, "spans": [span]})

    marked = row(**plain | {field: f"<b>{plain[field]}</b> &amp; &eacute;"})
    cleaned = clean_row(marked, "clean")
    expected = row(**plain | {field: f"{plain[field]} & é"})
    assert (cleaned.text, cleaned.title, cleaned.context, cleaned.extra["rewrite"]) == (
        expected.text, expected.title, expected.context, expected.extra["rewrite"],
    )  # fmt: skip
    start, end = (cleaned.extra["spans"][0][place] for place in ("start", "end"))
    assert cleaned.text[start:end] == ("C" if field == "text" else "Ciao")
    assert cleaned.ad_id == marked.ad_id
    with pytest.raises(BadRow, match=f"the {field} contains HTML"):
        clean_row(marked, "refuse")
    assert clean_row(row(**plain), "refuse") == row(**plain)


class Shouting:
    """Flags capitals, and takes the first word for the evidence."""

    thresholds = np.array([0.5], np.float32)

    def predict_proba(self, texts, *, checkpoint=None):
        return np.array([[float(text[0].isupper())] for text in texts], np.float32)

    def evidence(self, text, labels):
        return [Evidence(0, len(text.split()[0]), label, 1.0) for label in labels]


def test_a_verdict_on_html_points_into_the_text_given() -> None:
    text = "<ul><li>Cerchiamo una cameriera</li><li>Et&agrave; massima 30 anni</li></ul>"
    scheme = Scheme(("age",), multi=True)
    model = LoadedModel(Shouting(), ("age",), scheme)
    (verdict,) = classify([Text(1, text)], model, unit="sentence", language="it")
    spans = [text[row["start"] : row["end"]] for row in verdict["sentences"]]
    assert spans == ["Cerchiamo una cameriera", "Et&agrave; massima 30 anni"]
    (evidence,) = verdict["sentences"][1]["evidence"]
    assert text[evidence["start"] : evidence["end"]] == "Et&agrave;"
    assert evidence["text"] == "Età"
    text = "<h2>Requisiti</h2><p>Et&agrave; massima<br>di 30 anni</p>"
    (verdict,) = classify([Text(1, text)], model, unit="sentence", language="it")
    (row,) = verdict["sentences"]
    assert text[row["start"] : row["end"]] == "Et&agrave; massima<br>di 30 anni"
    (verdict,) = classify([Text(1, "<p></p>")], model, unit="text", language="it")
    assert verdict["sentences"] == []
