"""Label Studio's labelling page in a real browser, with our script and style in it."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from playwright.sync_api import Page, Route, expect

from biasloop.domain.task import LabelTask
from biasloop.gateway import script
from biasloop.gateway.script import page_script
from biasloop.labelstudio.client import LabelStudioClient
from biasloop.labelstudio.label_config import LabelConfig, parse_label_config
from support.cli import REPOSITORY
from support.labelstudio_server import Server

STYLE = Path(script.__file__).parent / "static" / "page.css"
OURS = '<link rel="stylesheet" href="/gateway/page.css"><script src="/gateway/page.js"></script>'
PATIENCE = 60_000
"""Milliseconds after which a test gives up; never a measure of anything."""

WITNESS = """
const seen = new Set();
function note(phrase) {
  if (!seen.has(phrase)) window.notePhrase(phrase);
  seen.add(phrase);
}
function look(node) {
  const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
  if (!element?.checkVisibility?.({ visibilityProperty: true })) return;
  if (element.closest("script, style, title, #annotator-words")) return;
  if (node.nodeType === Node.TEXT_NODE) note(node.nodeValue.trim());
  else for (const name of ["title", "aria-label", "data-tooltip", "placeholder"]) {
    note((node.getAttribute(name) ?? "").trim());
  }
}
function lookAround() {
  const nodes = document.createTreeWalker(
    document.documentElement, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  while (nodes.nextNode()) look(nodes.currentNode);
  requestAnimationFrame(lookAround);
}
requestAnimationFrame(lookAround);
"""
"""Tells `notePhrase` of every text and tooltip that can be seen, at each frame."""

PLACE = """([words, edge]) => {
  const box = document.querySelector(".bl-text .lsf-richtext__container");
  const nodes = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
  const spots = [];
  while (nodes.nextNode()) {
    for (let i = 0; i < nodes.currentNode.length; i++) spots.push([nodes.currentNode, i]);
  }
  const text = spots.map(([node, i]) => node.data[i]).join("");
  const [node, i] = spots[text.indexOf(words) + (edge === "end" ? words.length - 1 : 0)];
  const range = new Range();
  range.setStart(node, i);
  range.setEnd(node, i + 1);
  const { left, right, top, bottom } = range.getBoundingClientRect();
  return [edge === "end" ? right - 1 : left + 1, (top + bottom) / 2];
}"""
"""Where on the screen some words of the sentence begin or end."""

ANSWER = """() => {
  const { names, regionStore } = Htx.annotationStore.selected;
  const on = (name, state) => names.get(name).children.filter((tag) => tag[state])
    .map((tag) => tag.value);
  return {
    chosen: on("label", "sel"),
    active: on("span", "selected"),
    marks: regionStore.regions.filter((region) => region.text)
      .map((region) => [region.text, ...region.labels]),
  };
}"""
"""What the annotator has answered so far, and the label of the words that are marked next."""


def config_of(campaign: str, none_label: str | None = "inclusive") -> tuple[str, LabelConfig]:
    """The label config of one of our campaigns, as XML and as it is read."""
    path = REPOSITORY / "annotation_config" / campaign / "label_config.xml"
    xml = path.read_text("utf-8")
    return xml, parse_label_config(xml, none_label)


def phrases_seen(page: Page) -> set[str]:
    """What can be read on this page from now on; it grows, also while another page is opened."""
    phrases: set[str] = set()

    def note(phrase: str) -> None:
        phrases.add(phrase)

    page.expose_function("notePhrase", note)
    page.add_init_script(WITNESS)
    return phrases


class LabellingPage:
    """One annotator at work in a project of their own. `answers` are those of our own pages."""

    def __init__(self, page: Page, server: Server, campaign: str = "job_ads_it") -> None:
        self.page = page
        self._server = server
        self._campaign = campaign
        self._xml, self._config = config_of(campaign)
        self._client = LabelStudioClient(server.url, server.token, self._config)
        self._client.ensure_project(f"page {uuid4().hex[:12]}", self._xml, "# Prima di cominciare")
        self.answers: dict[str, Any] = {
            "next": {"state": "preparing", "message": "Si prepara", "batch": None},
            "batch": {"done": 0, "of": 34},
        }
        self.script = page_script(campaign[-2:], self._config)
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)

    def close(self) -> None:
        self._client.__exit__(None, None, None)

    def add(self, *sentences: str, ad: str = "") -> None:
        """Sends tasks to the project."""
        self._client.push([LabelTask(uuid4().hex, text, ad or text, round=0) for text in sentences])

    def open(self) -> None:
        """Signs in, opens the page as the gateway sends it, and closes the instructions."""
        page = self.page
        page.route(re.compile(r"/data\?labeling=1"), self._send_page)
        page.route("**/gateway/page.js", lambda route: _send(route, self.script, "javascript"))
        page.route("**/gateway/page.css", lambda route: _send(route, STYLE.read_text(), "css"))
        for name in self.answers:
            page.route(f"**/gateway/{name}", self._send_answer)
        page.goto(f"{self._server.url}/user/login/")
        page.locator("input[name=email]").fill(self._server.email)
        page.locator("input[name=password]").fill(self._server.password)
        with page.expect_navigation():
            page.get_by_role("button", name="Log in").click()
        self.phrases = phrases_seen(page)
        page.goto(self._client.task_url())
        expect(page.get_by_text("Prima di cominciare")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_text("Prima di cominciare")).to_have_count(0)
        expect(page.locator(".bl-text")).not_to_be_empty()

    def _send_page(self, route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace("</head>", f"{OURS}</head>", 1)
        route.fulfill(response=answer, body=body)

    def _send_answer(self, route: Route) -> None:
        _send(route, json.dumps(self.answers[route.request.url.rpartition("/")[2]]), "json")

    def sentence(self) -> str:
        return self.page.locator(".bl-text").inner_text().strip()

    def answer(self) -> dict[str, Any]:
        """What stands in the page: chosen labels, active span labels, marks."""
        answer: dict[str, Any] = self.page.evaluate(ANSWER)
        return answer

    def press(self, key: str, chosen: Iterable[str]) -> None:
        """Presses a key until the page hears it, which it does a moment after it is seen; then
        these labels are chosen."""
        before = self.answer()
        self.page.keyboard.press(key)
        while (after := self.answer()) == before:
            self.page.wait_for_timeout(300)
            if self.answer() == before:
                self.page.keyboard.press(key)
        assert set(after["chosen"]) == set(chosen)

    def mark(self, words: str) -> None:
        """Drags over words of the sentence, and waits for the mark."""
        count = len(self.answer()["marks"])
        mouse = self.page.mouse
        mouse.move(*self.page.evaluate(PLACE, [words, "start"]))
        mouse.down()
        mouse.move(*self.page.evaluate(PLACE, [words, "end"]), steps=5)
        mouse.up()
        self.page.wait_for_function(f"() => ({ANSWER})().marks.length > {count}")

    def submit(self, key: str = "Control+Enter") -> list[dict[str, Any]]:
        """Sends the answer by a key, waits for what follows; returns what was sent."""
        before = self.sentence()
        with self.page.expect_response(_is_answer) as saved:
            self.page.keyboard.press(key)
        assert saved.value.ok
        after = ".bl-text, .ant-result-success"
        expect(self.page.locator(after).first).not_to_have_text(before)
        body: dict[str, Any] = saved.value.request.post_data_json
        return list(body["result"])


def _is_answer(response: Any) -> bool:
    return "/annotations" in response.url and response.request.method in {"POST", "PATCH"}


def _send(route: Route, body: str, kind: str) -> None:
    route.fulfill(body=body, content_type=f"text/{kind}; charset=utf-8")
