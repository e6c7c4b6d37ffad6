"""The labelling page as annotators meet it, in the real Label Studio and a real browser."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Browser, expect

from biasloop.gateway.script import phrase_table
from support.labelling_page import LabellingPage, config_of
from support.labelstudio_server import Server

SENTENCE = "Cerchiamo un giovane magazziniere, massimo 30 anni, di bella presenza."
AD = f"""Azienda di Brescia assume.

{"Si lavora in squadra, con orario flessibile e turni concordati. " * 40}
{SENTENCE.replace("magazziniere, massimo", "magazziniere,   massimo")}
Inviare il curriculum."""
REWRITE = "Cerchiamo una persona per il magazzino."
Opener = Callable[..., LabellingPage]


@pytest.fixture
def open_page(chromium: Browser, label_studio_server: Server) -> Iterator[Opener]:
    """Opens the page of a campaign at a width, with these sentences to label."""
    opened = []

    def opens(*sentences: str, campaign: str = "job_ads_it", width: int = 1440) -> LabellingPage:
        page = chromium.new_page(viewport={"width": width, "height": 844}, locale="it-IT")
        labelling = LabellingPage(page, label_studio_server, campaign)
        labelling.add(*sentences, ad=AD)
        labelling.open()
        opened.append(labelling)
        return labelling

    yield opens
    for labelling in opened:
        labelling.close()


def words_of_the_campaign(campaign: str) -> set[str]:
    """Every word that its label config shows."""
    xml, _ = config_of(campaign)
    shown = ("value", "html", "hint", "hotkey", "placeholder", "requiredMessage")
    words = {tag.get(name, "") for tag in ET.fromstring(xml).iter() for name in shown}
    return words | {f"[{key}]" for key in words}


def foreign(phrases: set[str], campaign: str, *ours: str) -> list[str]:
    """What was seen and is neither of the campaign nor of the table of its language."""
    table = phrase_table("it")
    numbers = re.compile(r"\d+|{\w+}")  # and the places for them
    known = {*table["phrases"].values(), *table["unchanged"], *table["own"].values(), *ours}
    known |= words_of_the_campaign(campaign) | {"", "•", "[", "]", "x"}
    patterns = {numbers.sub("N", phrase) for phrase in known} | {"N", "N / N"}
    texts = " ".join((*ours, AD)).split()
    return [
        phrase
        for phrase in sorted(phrases)
        if numbers.sub("N", phrase) not in patterns and not set(phrase.split()) <= set(texts)
    ]


def test_nothing_is_english_from_the_first_sentence_to_the_last(
    open_page: Opener, tmp_path: Path
) -> None:
    it = open_page(SENTENCE, "Si offre un contratto.", "Sede a Brescia.")
    page = it.page
    assert page.locator("html").get_attribute("lang") == "it"
    expect(page.locator("#biasloop-bar")).to_have_text("Serie: 0 di 34Guida")

    page.get_by_role("button", name="Invia").click()  # nothing is chosen yet
    expect(page.get_by_text("Attenzione")).to_be_visible()
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("Attenzione")).to_have_count(0)
    for button in page.locator(".lsf-bottombar button:visible, .lsf-choice label").all():
        button.hover(force=True)
        page.wait_for_timeout(400)

    it.press("3", ["age"])
    it.mark("giovane")
    page.screenshot(path=tmp_path / "marked.png")
    page.get_by_placeholder("La stessa frase").fill(REWRITE)
    it.answers["batch"] = {"done": 1, "of": 34}
    it.submit()
    expect(page.locator("#biasloop-bar")).to_have_text("Serie: 1 di 34Guida")
    expect(page.get_by_text("Risposta salvata", exact=True)).to_be_visible()
    second = it.sentence()
    page.get_by_role("button", name="Salta la frase").click()
    expect(page.get_by_text("Frase saltata", exact=True)).to_be_visible()
    expect(page.locator(".bl-text")).not_to_have_text(second)

    page.get_by_role("button", name="Frase precedente").click()
    page.get_by_role("button", name="Riprendi la frase saltata").hover()
    page.wait_for_timeout(400)
    page.get_by_role("button", name="Frase precedente").click()
    expect(page.get_by_text(REWRITE)).to_be_visible()
    it.press("9", ["age", "appearance"])
    page.get_by_test_id("bottombar-update-button").hover()
    page.wait_for_timeout(400)
    page.get_by_test_id("bottombar-update-button").click()
    expect(page.get_by_text("Risposta aggiornata", exact=True)).to_be_visible()
    page.get_by_role("button", name="Frase successiva").click()
    expect(page.get_by_text("Saltata", exact=True)).to_be_visible()
    page.get_by_role("button", name="Frase successiva").click()
    expect(page.locator(".bl-text")).to_have_text("Sede a Brescia.")

    it.answers["next"] = {
        "state": "preparing",
        "message": "Le prossime frasi sono in preparazione.",
        "batch": {"done": 3, "of": 34},
    }
    it.press("0", ["inclusive"])
    it.submit()
    expect(page.locator(".ant-result-title")).to_have_text(
        "Le prossime frasi sono in preparazione."
    )
    expect(page.locator("#biasloop-bar")).to_have_text("Serie: 3 di 34Guida")
    page.screenshot(path=tmp_path / "empty.png")

    it.add("Una frase nuova.")
    it.answers["next"] = {"state": "work", "message": "", "batch": None}
    expect(page.locator(".bl-text")).to_have_text("Una frase nuova.")  # by itself
    ours = ("Si offre un contratto.", "Sede a Brescia.", "Una frase nuova.", REWRITE)
    said = ("Prima di cominciare", "Le prossime frasi sono in preparazione.")
    assert len(it.phrases) > 60
    assert foreign(it.phrases, "job_ads_it", *ours, *said) == []


def test_one_key_and_a_drag_and_no_contradictions(open_page: Opener) -> None:
    it = open_page(SENTENCE, "Si offre un contratto.")
    page = it.page
    it.press("0", ["inclusive"])
    it.press("3", ["age"])  # drops the negative
    assert it.answer()["active"] == ["age"]
    it.mark("giovane")
    it.mark("massimo 30 anni")  # the label stays at hand
    it.press("9", ["age", "appearance"])
    it.mark("bella presenza")
    page.keyboard.press("Shift+1")  # marking gives the label
    it.mark("magazziniere")
    assert set(it.answer()["chosen"]) == {"age", "appearance", "gender"}
    expect(page.locator(".lsf-label:visible")).to_have_text(
        ["Genere (chi si cerca)shift+1", "Etàshift+3", "Aspettoshift+9"]
    )

    page.get_by_role("checkbox", name="Aspetto").uncheck()  # its mark goes with it
    assert it.answer()["marks"] == [
        ["giovane", "age"], ["massimo 30 anni", "age"], ["magazziniere", "gender"],
    ]  # fmt: skip
    page.get_by_role("checkbox", name="Nessun problema").check()
    assert it.answer() == {"chosen": ["inclusive"], "active": [], "marks": []}
    page.get_by_role("checkbox", name="Età").check()
    it.mark("giovane")
    page.get_by_role("checkbox", name="Ho un dubbio").check()  # stands beside any answer
    assert it.answer()["chosen"] == ["age"]

    page.get_by_placeholder("La stessa frase").fill(REWRITE)
    sent = {
        result["from_name"]: result["value"]
        for result in it.submit()  # from within the box
    }
    assert sent["label"]["choices"] == ["age"]
    assert (sent["span"]["text"], sent["span"]["labels"]) == ("giovane", ["age"])
    assert sent["unsure"] == {"choices": ["unsure"]}
    assert sent["rewrite"]["text"] == [REWRITE]


MARKED = """() => [...CSS.highlights.get("biasloop-sentence")].map((range) => {
  const place = range.getBoundingClientRect();
  const box = document.querySelector(".bl-context").getBoundingClientRect();
  return [range.toString(), place.top >= box.top && place.bottom <= box.bottom];
})"""


def test_the_sentence_stands_marked_in_the_open_ad(open_page: Opener) -> None:
    it = open_page(SENTENCE, "Inviare il curriculum.")
    it.page.wait_for_function(f"() => ({MARKED})().every(([, visible]) => visible)")
    ((text, _),) = it.page.evaluate(MARKED)
    assert text.split() == SENTENCE.split()
    it.press("0", ["inclusive"])
    it.submit()
    it.page.wait_for_function(
        f"() => ({MARKED})().some(([text, seen]) => seen && text === 'Inviare il curriculum.')"
    )


def test_on_a_phone_the_answers_come_first_and_submit_is_on_screen(
    open_page: Opener, tmp_path: Path
) -> None:
    it = open_page(SENTENCE, width=390)
    page = it.page
    page.screenshot(path=tmp_path / "phone.png")
    for place in (
        page.get_by_role("checkbox", name="Nessun problema"),
        page.get_by_role("checkbox", name="Opinioni"),
        page.get_by_role("button", name="Invia"),
        page.get_by_role("button", name="Salta"),
    ):
        expect(place).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.querySelector('.lsf-main-content').scrollWidth") <= 390
    places = [
        page.locator(name).bounding_box() for name in (".lsf-choices >> nth=0", ".bl-context")
    ]
    assert places[0] is not None
    assert places[1] is not None
    assert places[0]["y"] < places[1]["y"]


def test_an_english_campaign_is_left_in_english(open_page: Opener) -> None:
    it = open_page(SENTENCE, campaign="job_ads_en")
    page = it.page
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page.locator("#biasloop-bar")).to_have_text("Batch: 0 of 34Guideline")
    expect(page.get_by_role("button", name="Submit")).to_be_visible()
    it.press("0", ["inclusive"])
    it.press("1", ["gender"])


PARTS = {
    "phrases[phrase] ??": "missing[phrase] ??",
    "annotation.regionStore.regions": "annotation.missing.regions",
    "Htx?.task?.dataObj": "Htx.task.missing.dataObj",
    "task === countedTask": "task === missing",
    "emptyQueue())": "missing())",
}
"""How each part of the script is broken."""


@pytest.mark.parametrize("broken", [{"window.biasloop = {": "window.biasloop = null; ({"}, PARTS])
def test_where_the_script_fails_labelling_goes_on(
    chromium: Browser, label_studio_server: Server, broken: dict[str, str]
) -> None:
    labelling = LabellingPage(chromium.new_page(), label_studio_server)
    for sound, wrong in broken.items():
        assert sound in labelling.script
        labelling.script = labelling.script.replace(sound, wrong)
    labelling.add(SENTENCE, "Si offre un contratto.")
    labelling.open()
    labelling.press("3", ["age"])
    assert any(result["from_name"] == "label" for result in labelling.submit())
    labelling.close()
