"""Recognises HTML in ads, and takes it away, with the place of every character kept.

A scraper may deliver what a browser would show in another form: with tags, entities, or both
escaped once more. Only names of HTML are recognised, so that "<nome>" and "R&D" stay. The tags are
found with one pattern: Python's html.parser takes time quadratic in texts such as "<a <a <a".
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from biasloop.domain.item import item_id
from biasloop.domain.text import MappedText
from biasloop.intake.record import BadRow
from biasloop.intake.rows import EXCERPT_CHARACTERS, Reject, Row

Markup = Literal["clean", "refuse", "keep"]

_LINES = frozenset((
    "address", "article", "aside", "blockquote", "body", "br", "button", "caption", "center",
    "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "legend", "li", "main",
    "nav", "ol", "option", "p", "pre", "section", "select", "summary", "table", "tbody", "td",
    "tfoot", "th", "thead", "title", "tr", "ul",
))  # fmt: skip
"""Elements that begin and end a line."""
_INLINE = frozenset((
    "a", "abbr", "acronym", "b", "base", "bdi", "bdo", "big", "cite", "code", "col", "colgroup",
    "del", "dfn", "em", "font", "i", "iframe", "img", "input", "ins", "kbd", "label", "link",
    "mark", "meta", "noscript", "q", "s", "samp", "script", "small", "span", "strike", "strong",
    "style", "sub", "sup", "svg", "tt", "u", "var", "video", "wbr",
))  # fmt: skip
_UNSEEN = frozenset({"script", "style"})
_TOKEN = re.compile(
    r"<(?P<closing>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)(?=[\s/>])[^<>]*>"
    r"|(?P<comment><!--)|<!(?i:doctype)\b[^<>]*>"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});)"
)
_END_OF_UNSEEN = re.compile(r"</(?:script|style)\b[^<>]*>", re.IGNORECASE)
_BREAK = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
_ESCAPED = 3
"""The number of times that markup may have been escaped."""


def without_markup(text: str) -> MappedText:
    """The text that a browser would show; the text itself if no HTML is in it.

    Elements that a browser shows in lines of their own begin a new line; if there are any, line
    breaks of the source are spaces. Comments, scripts and styles are left out.
    """
    shown = MappedText(text)
    if "<" not in text and "&" not in text:
        return shown
    for _ in range(_ESCAPED):
        pieces = list(_pieces(shown.text))
        if pieces == [(shown.text, 0, len(shown.text))]:
            break
        shown = MappedText.from_pieces(pieces).after(shown)
    return shown if shown.starts is None else shown.stripped()


@dataclass
class Cleaner:
    """Takes HTML out of rows as `markup` says, and counts the rows that had some."""

    markup: Markup
    count: int = 0

    def clean(self, rows: Iterator[Row | Reject]) -> Iterator[Row | Reject]:
        """The rows without HTML; those that cannot be used without it are rejected."""
        for row in rows:
            if isinstance(row, Reject):
                yield row
                continue
            try:
                cleaned = clean_row(row, self.markup)
            except BadRow as reason:
                yield Reject(row.line, str(reason), row.text[:EXCERPT_CHARACTERS], row.id)
                continue
            self.count += cleaned is not row
            yield cleaned


def clean_row(row: Row, markup: Markup) -> Row:
    """The row without markup in text, title, context, spans and rewrite; the row itself if it has
    none, comes from an export, or `markup` is "keep". It keeps the id that it had with markup.
    Raises BadRow if `markup` is "refuse", or if nothing is left of the text."""
    if markup == "keep" or row.exported is not None:
        return row
    shown = without_markup(row.text)
    cleaned = replace(
        row,
        text=shown.text,
        title=without_markup(row.title).text,
        context=without_markup(row.context).text,
        extra=_clean_extra(row.extra, shown),
    )
    fields = ("text", "title", "context", "extra")
    marked = [name for name in fields if getattr(cleaned, name) != getattr(row, name)]
    if not marked:
        return row
    if markup == "refuse":
        field = "rewrite" if marked == ["extra"] else marked[0]
        raise BadRow(f'the {field} contains HTML; clean it, or set intake.markup to "clean"')
    if not shown.text:
        raise BadRow("the text contains nothing but HTML")
    hashed = item_id("", 0, len(row.text), row.text)
    former_ids = tuple(former or hashed for former in row.former_ids)
    return replace(cleaned, id=row.ad_id, former_ids=former_ids)


def _clean_extra(extra: Mapping[str, Any], shown: MappedText) -> dict[str, Any]:
    cleaned = dict(extra)
    if "rewrite" in extra:
        cleaned["rewrite"] = without_markup(extra["rewrite"]).text
    if "spans" in extra and shown.starts is not None:
        cleaned["spans"] = [_clean_span(span, shown) for span in extra["spans"]]
    return cleaned


def _clean_span(span: Any, shown: MappedText) -> Any:
    if not isinstance(span, dict) or not all(
        isinstance(span.get(place), int) for place in ("start", "end")
    ):
        return span
    start, end = shown.span_of_original(span["start"], span["end"])
    return span | {"start": start, "end": end}


def _pieces(text: str) -> Iterator[tuple[str, int, int]]:
    """What is shown of the text, in pieces with their places; one piece if no HTML is in it."""
    tokens = [token for token in _TOKEN.finditer(text) if _is_html(token)]
    if any((token["name"] or "").lower() in _LINES for token in tokens):
        source = _BREAK.sub(" ", text)
    else:
        source = text
    place = 0
    comments_end = "-->" in text
    for token in tokens:
        if token.start() < place:
            continue
        end = token.end()
        if token["comment"]:
            if not comments_end:
                continue
            end = text.find("-->", end) + 3
            if end < 3:
                comments_end = False
                continue
        yield source[place : token.start()], place, token.start()
        name = (token["name"] or "").lower()
        if token["entity"]:
            yield html.unescape(token[0]), token.start(), end
        elif name in _LINES:
            yield "\n", token.start(), end
        elif name in _UNSEEN and not token["closing"]:
            closing = _END_OF_UNSEEN.search(text, end)
            end = closing.end() if closing else len(text)
        place = end
    yield source[place:], place, len(text)


def _is_html(token: re.Match[str]) -> bool:
    if token["name"]:
        return token["name"].lower() in _LINES | _INLINE
    return not token["entity"] or html.unescape(token[0]) != token[0]
