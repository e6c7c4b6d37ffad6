"""The guideline as a page, what changed in it, and the guidelines that are shipped."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

from biasloop.domain.policy import excerpt
from biasloop.gateway import guideline as module
from biasloop.gateway.guideline import describe_changes, render_guideline

CAMPAIGNS = Path(__file__).parents[2] / "annotation_config"
SHIPPED = {
    "job_ads_it/guidelines.md": "job_ads_it",
    "job_ads_it/guidelines.en.md": "",  # its buttons are translated
    "job_ads_en/guidelines.md": "job_ads_en",
}
VOID = {"br", "hr", "img"}


class Page(HTMLParser):
    """The elements of a fragment; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), self.open[-1] if self.open else ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts.setdefault(tag, []).append(data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs, _ in self.elements if tag in tags]

    def parents(self, *tags: str) -> set[str]:
        return {parent for tag, _, parent in self.elements if tag in tags}

    def text(self, tag: str) -> str:
        return "".join(self.texts.get(tag, []))


HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
HARMLESS = {
    *HEADINGS, "nav", "div", "p", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td",
    "a", "strong", "em", "code", "pre", "blockquote", "hr", "br", "img",
}  # fmt: skip
TEXT = """# Guide

Read. Then choose.

## 1. `age`: age

Counts:

- «young»
- «old»

1. First
2. Second

| Age | Nothing |
| --- | --- |
| Max 35 | Two years |

## Doubts

Ask Anna. Do not skip.
"""


def links(page: Page) -> list[str]:
    return [unquote((a["href"] or "")[1:]) for a in page.all("a") if (a["href"] or "")[:1] == "#"]


def require_sound(html: str) -> Page:
    """Every heading is in the table of contents, and only elements of text are there."""
    page = Page(html)
    anchors = [attrs["id"] for attrs in page.all(*HEADINGS)]
    assert None not in anchors
    assert len(set(anchors)) == len(anchors)
    assert [link for link in links(page) if link in anchors][: len(anchors)] == anchors
    assert page.parents("li") <= {"ul", "ol"}
    assert page.parents("td", "th") <= {"tr"}
    assert page.parents("tr") <= {"thead", "tbody"}
    assert page.parents("thead", "tbody") <= {"table"}
    assert {tag for tag, *_ in page.elements} <= HARMLESS
    for _, attrs, _ in page.elements:
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("href", "src"):
            assert not (attrs.get(name) or "").casefold().startswith(("javascript:", "vbscript:"))
    return page


def test_a_page_has_contents_lists_and_tables() -> None:
    page = require_sound(render_guideline(TEXT))
    assert links(page) == ["guide", "age", "doubts"]
    assert Counter(tag for tag, *_ in page.elements if tag in {"ol", "ul", "table"}) == {
        "ol": 1,
        "ul": 2,  # the contents are one
        "table": 1,
    }
    assert [attrs["data-head"] for attrs in page.all("td")] == ["Age", "Nothing"]
    assert [attrs["scope"] for attrs in page.all("th")] == ["col", "col"]


def test_an_anchor_is_the_key_and_titles_do_without_it() -> None:
    page = require_sound(
        render_guideline("## Età (`age`)\n\n## Età (`age`)\n\n## 3. Età\n\n## ·\n")
    )
    assert links(page) == ["age", "age-2", "età", "section"]
    assert page.text("nav").split() == ["Età", "Età", "3.", "Età", "·"]


def test_tags_become_text() -> None:
    html = render_guideline("# <b>a</b>\n\n<script>alert(1)</script>\n\n[a](javascript:alert(1))\n")
    assert "<script>alert(1)</script>" in require_sound(html).text("p")


MARKDOWN = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(
            [
                "# ", "## ", "\n", "\n\n", "- ", "1. ", "> ", "`", "**", "[", "![", "    ", "```",
                "| a | b |\n| --- | --- |\n", "| x | y |\n",
                "<script>", "<img src=x onerror=alert(1)>", "](javascript:x)",
                '" onclick="x', "&lt;", "<!--", "---\n", "===\n",
            ]
        ),
    ),
    max_size=30,
).map("".join)  # fmt: skip


@given(MARKDOWN)
def test_no_text_breaks_the_page(text: str) -> None:
    require_sound(render_guideline(text))


@given(MARKDOWN, MARKDOWN)
def test_changes_of_any_text_are_sound(before: str, after: str) -> None:
    page = Page(describe_changes(before, after))
    assert {tag for tag, *_ in page.elements} <= {"h3", "ul", "li", "a", "del", "ins"}
    assert {*links(page)} <= {attrs["id"] for attrs in Page(render_guideline(after)).all(*HEADINGS)}
    assert describe_changes(before, before) == ""


@given(MARKDOWN)
def test_all_that_is_new_is_marked_and_all_that_goes(text: str) -> None:
    def words(html: str) -> Counter[str]:
        return Counter("".join(html.split()))

    added, removed = Page(describe_changes("", text)), Page(describe_changes(text, ""))
    assert not added.all("del")
    assert not removed.all("ins")
    assert words(added.text("ins")) == words(removed.text("del"))


@pytest.mark.parametrize(
    ("old", "new", "title", "expected"),
    [
        ("«old»", "«old» people", "1. age: age", "<li>Counts: «old» <ins>people</ins></li>"),
        (
            "Counts:",
            "Does not count:",
            "1. age: age",
            "<li><ins>Does not count: «young»</ins></li>",
        ),
        ("- «young»\n", "", "1. age: age", "<li><del>Counts: «young»</del></li>"),
        ("Max 35", "Max 40", "1. age: age", "<li>Age: Max <del>35</del> <ins>40</ins> · Nothing"),
        ("skip.", "skip. Rest.", "Doubts", "<li><ins>Rest.</ins></li>"),
        ("Ask Anna. ", "", "Doubts", "<li><del>Ask Anna.</del></li>"),
        ("## Doubts", "## In doubt", "In doubt", "<del>Doubts</del>"),
        ("1. `age`: age", "Age (`age`)", "Age", '<a href="#age">'),
    ],
)
def test_a_change_is_shown_under_its_section(old: str, new: str, title: str, expected: str) -> None:
    html = describe_changes(TEXT, TEXT.replace(old, new))
    assert expected in html
    assert title in re.sub(" +", " ", Page(html).text("h3"))


def test_other_formatting_or_another_number_is_no_change() -> None:
    assert describe_changes(TEXT, TEXT.replace("Anna", "**Anna**").replace("- «", "* «")) == ""
    assert describe_changes("## 2. Doubts\n\nAsk.", "## 3. Doubts\n\nAsk.").count("<li>") == 0


# --- what is shipped -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_guideline_is_a_sound_page(name: str) -> None:
    text = (CAMPAIGNS / name).read_text("utf-8")
    page = require_sound(render_guideline(text))
    assert len(page.all("table")) == text.count("\n| --- ")
    assert len(page.all("td", "th")) == 3 * (text.count("\n| ") - text.count("\n| --- "))
    items = re.findall(r"^(?:- |\d+\. )", text, re.MULTILINE)
    assert len(page.all("li")) == len(page.all(*HEADINGS)) + len(items)
    below_headings = page.text("p") + page.text("td") + page.text("li")
    assert not re.search(r"\*\*|\| ---|^\d+\. ", below_headings)


@pytest.mark.parametrize(("name", "campaign"), SHIPPED.items())
def test_a_shipped_guideline_speaks_the_words_of_the_buttons(name: str, campaign: str) -> None:
    text = (CAMPAIGNS / name).read_text("utf-8")
    folder = CAMPAIGNS / (campaign or "job_ads_it")
    config = ET.fromstring((folder / "label_config.xml").read_text("utf-8"))
    choices = config.findall(".//Choices[@name='label']/Choice")
    assert len(choices) == 11
    for choice in choices:
        key, button = choice.attrib["value"], choice.attrib["html"]
        assert text.count(f"`{key}`") == 1, "the key is named once, in its heading"
        if campaign:
            assert f"## {button} (`{key}`)\n" in text
            assert f"{choice.attrib['hotkey']} **{button}**" in text
        assert excerpt(text, {key}).startswith("## ")


def test_both_texts_of_the_italian_guideline_have_the_same_form() -> None:
    def form(name: str) -> list[str]:
        text = (CAMPAIGNS / "job_ads_it" / name).read_text("utf-8")
        return re.findall(r"^(?:#+ |- |\d+\. |\|)", text, re.MULTILINE)

    def examples(name: str) -> set[str]:
        text = (CAMPAIGNS / "job_ads_it" / name).read_text("utf-8")
        return set(re.findall(r"«([^«»]+)»", text))

    assert form("guidelines.md") == form("guidelines.en.md")
    only = examples("guidelines.md") ^ examples("guidelines.en.md")
    assert len(only) < 15, "examples are Italian in both; only what is about the text differs"


QUESTIONS = [
    # Written before the guideline had this form, by somebody who saw only the buttons.
    ("«Sede: Brescia» non parla di nessuno: che cosa premo?", "In breve", "non parla di persone"),
    ("«Cerchiamo un Project Manager»?", "I cinque casi più comuni", "lo dà l'articolo"),
    ("«Il/la candidato/a sarà inserito»?", "I cinque casi più comuni", "«inserito» è rimasto"),
    (
        "Basta «ambosessi» in fondo?",
        "Regole valide per tutte le etichette",
        "la forma conta lo stesso",
    ),
    (
        "«Riferirai al Direttore», «al Responsabile»?",
        "Genere (altre persone)",
        "«responsabile» no; l'articolo non conta",
    ),
    (
        "«Apprendistato, 18–29 anni»? E senza contratto?",
        "Età",
        "fa eccezione se la frase nomina il contratto",
    ),
    ("«Madrelingua italiana», «ottimo italiano»?", "Origine", "«ottimo italiano»"),
    ("«Riservato alle categorie protette»?", "Disabilità", "La quota include"),
    (
        "Due problemi in una frase: due pulsanti?",
        "Regole valide per tutte le etichette",
        "Più etichette insieme sono normali",
    ),
    ("Quali parole evidenzio?", "Parole da evidenziare e riscrittura", "parole intere"),
    (
        "Sono in dubbio: che cosa scelgo? Posso saltare?",
        "Dubbi, frasi da saltare, frasi che tornano",
        "Non saltare le frasi difficili",
    ),
]


@pytest.mark.parametrize(("question", "section", "answer"), QUESTIONS)
def test_an_answer_is_one_click_away(question: str, section: str, answer: str) -> None:
    html = render_guideline((CAMPAIGNS / "job_ads_it" / "guidelines.md").read_text("utf-8"))
    [anchor] = re.findall(rf'<a href="#([^"]+)">{re.escape(section)}</a>', html)
    text = re.split("<h[123] ", html.partition(f'id="{unquote(anchor)}"')[2])[0]
    assert answer in re.sub("<[^>]+>", "", text), question


# --- in a browser --------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", SHIPPED)
def test_it_fits_the_screen_and_each_heading_is_one_click_away(
    chromium: Browser, name: str, width: int
) -> None:
    style = (Path(module.__file__).parent / "static" / "guideline.css").read_text("utf-8")
    guideline = render_guideline((CAMPAIGNS / name).read_text("utf-8"))
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.set_content(
        '<!doctype html><meta name="viewport" content="width=device-width">'
        f'<style>{style}</style><main><article class="guideline">{guideline}</article></main>'
    )
    assert page.evaluate("document.documentElement.scrollWidth") == width
    overlapping = """() => {
        const blocks = [...document.querySelectorAll('.sections > *')];
        const boxes = blocks.map(block => block.getBoundingClientRect());
        return boxes.some((box, i) => i && boxes[i - 1].bottom > box.top + 1);
    }"""
    assert not page.evaluate(overlapping)
    shown = page.locator(".contents a:visible")
    assert shown.count() == page.locator(".sections :is(h2, h3)").count() + (width > 960)
    for link in shown.all()[-3:]:
        page.evaluate("scrollTo(0, 0)")
        link.click()
        top = page.locator(":target").bounding_box()
        assert top is not None
        assert 0 <= top["y"] < 900
