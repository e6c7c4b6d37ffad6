"""The report on one ad: its sentences in pieces, and the page that people read."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.reports.ad_report import marked_parts
from support.cli import Cli, write_jsonl

HOSTILE = "<script>alert(1)</script>"


@given(st.data())
def test_the_pieces_of_a_sentence_are_the_sentence(data: st.DataObject) -> None:
    text = data.draw(st.text(min_size=1, max_size=30))
    places = st.integers(0, len(text))
    start, end = sorted(data.draw(st.tuples(places, places)))
    inside = st.tuples(st.integers(start, end), st.integers(start, end)).map(sorted)
    evidence: list[dict[str, Any]] = [
        {"start": first, "end": last, "label": f"l{number % 2}"}
        for number, (first, last) in enumerate(data.draw(st.lists(inside, max_size=5)))
    ]
    parts = marked_parts(text, {"start": start, "end": end, "evidence": evidence})
    assert "".join(part.text for part in parts) == text[start:end]
    place = start
    for part in parts:
        for at in range(place, place + len(part.text)):
            here = {words["label"] for words in evidence if words["start"] <= at < words["end"]}
            assert set(part.labels) == here
        place += len(part.text)


class Page(HTMLParser):
    """The tags of a page and its text, by the tag around it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.tags[-1] if self.tags else "", []).append(data)


@pytest.fixture
def page(trained: Path, tmp_path: Path) -> Page:
    ad: dict[str, Any] = {
        "title": HOSTILE,
        "text": "Cercasi cameriere esperto.\nEtà massima: 30 anni, a < b.\nOrario serale \ud83d.",
    }
    source = write_jsonl(tmp_path / "ad.jsonl", ad)
    assert str(tmp_path / "ad.html") in Cli(trained)(
        "classify", source, "--report", tmp_path / "ad.html"
    )
    return Page((tmp_path / "ad.html").read_text("utf-8"))


def test_a_page_that_loads_and_runs_nothing(page: Page) -> None:
    assert page.texts["h1"][0] == HOSTILE
    assert not {"script", "link", "img", "iframe", "a", "form"} & set(page.tags)
    assert "Le frasi" in page.texts["h2"]
    shown = "".join(text for texts in page.texts.values() for text in texts)
    assert "a < b." in shown


def test_what_is_flagged_is_explained_and_marked(trained: Path, tmp_path: Path) -> None:
    """As the verdict says it, whatever the small model says."""
    cli, text = Cli(trained), "Cercasi cameriere esperto. Età massima: 30 anni."
    (verdict,) = [json.loads(line) for line in cli("classify", text).splitlines()]
    cli("classify", text, "--report", tmp_path / "ad.html")
    html = (tmp_path / "ad.html").read_text("utf-8")
    marks = re.findall(r'<mark title="([^"]*)">([^<]*)</mark>', html)
    words = [part for sentence in verdict["sentences"] for part in sentence["evidence"]]
    assert {text for _, text in marks} == {part["text"] for part in words}
    assert html.count("sentence flagged") == sum(bool(s["flagged"]) for s in verdict["sentences"])
    assert verdict["flagged"], "the test shows something"


def test_one_text_and_no_file_is_replaced(trained: Path, tmp_path: Path) -> None:
    cli, page = Cli(trained), tmp_path / "ad.html"
    page.write_text("mine")
    assert "replace it with --force" in cli.error("classify", "Ciao.", "--report", page)
    two = write_jsonl(tmp_path / "two.jsonl", {"text": "Ciao."}, {"text": "Uno."})
    assert "several texts" in cli.error("classify", two, "--report", tmp_path / "new.html")
    assert "--report goes with" in cli.error(
        "classify", two, "--report", page, "--to", tmp_path / "x.csv", code=2
    )
    cli("classify", "Ciao.", "--report", page, "--force")
    assert "Nessuna segnalazione." in page.read_text("utf-8")
