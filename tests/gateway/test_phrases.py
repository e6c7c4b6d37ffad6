"""What annotators read of Label Studio, in the language of their campaign."""

import json
import re
import sys
from pathlib import Path
from string import Formatter

import pytest

from biasloop.gateway.script import PHRASES, page_script, phrase_table
from support.labelstudio_server import CONFIG

LANGUAGES = sorted(path.stem for path in PHRASES.glob("*.json"))
BUNDLE = next(Path(sys.prefix + "-labelstudio").glob("lib/*/site-packages/web/dist/apps/*"), None)
PUT_TOGETHER = {"Notifications (F8)"}
"""Phrases that the page makes of pieces, and that the browser test meets."""


def values(script: str) -> dict[str, object]:
    """What the script knows of the campaign."""
    first, _, rest = script.partition(";\n")
    assert rest.startswith('"use strict"')
    found: dict[str, object] = json.loads(first.removeprefix("window.biasloop = "))
    return found


def test_the_script_knows_the_language_and_the_controls() -> None:
    it = values(page_script("it", CONFIG))
    assert it["language"] == "it"
    assert it["phrases"] == phrase_table("it")["phrases"]
    assert it["words"] == phrase_table("it")["own"]
    assert it["controls"] == {
        "labels": "label", "none": "inclusive", "spans": "span", "sentence": "text",
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "xx", "../it", ""])
def test_without_a_table_nothing_is_translated(language: str) -> None:
    english = values(page_script(language, CONFIG))
    assert english["language"] == "en"
    assert english["phrases"] == {}
    assert english["words"] == phrase_table("en")["own"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_table_is_complete(language: str) -> None:
    """Our own words have the same places in each; numbers are not lost."""
    table = phrase_table(language)
    own = phrase_table("en")["own"]
    assert table["own"].keys() == own.keys()
    for name, words in table["own"].items():
        assert places(words) == places(own[name])
    for phrase, words in table["phrases"].items():
        assert re.findall(r"\bN\b", phrase) == re.findall(r"\bN\b", words)


def places(words: str) -> set[str | None]:
    return {field for _, field, _, _ in Formatter().parse(words) if field is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_that_equals_its_english_is_listed_with_a_reason(language: str) -> None:
    table = phrase_table(language)
    assert not [phrase for phrase, words in table["phrases"].items() if phrase == words]
    assert not table["unchanged"].keys() & table["phrases"].keys()
    assert all(table["unchanged"].values())


@pytest.mark.skipif(BUNDLE is None, reason="no Label Studio beside our virtual environment")
def test_label_studio_has_the_phrases_of_the_tables() -> None:
    assert BUNDLE is not None
    bundle = "".join(path.read_text("utf-8") for path in sorted(BUNDLE.glob("*.js")))
    for language in LANGUAGES:
        table = phrase_table(language)
        for phrase in {*table["phrases"], *table["unchanged"]} - PUT_TOGETHER:
            for part in re.split(r"\bN\b", phrase):
                words = part.strip(" /")
                assert not words or f'"{words}' in bundle or f'{words}"' in bundle, phrase
