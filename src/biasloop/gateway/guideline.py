"""The guideline as annotators read it, and what changed from one version to the next. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from itertools import pairwise
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[«“\"'(]*[A-ZÀ-ÖØ-Þ])")
_SECTION_NUMBER = re.compile(r"^\d+[.)]\s*")
_REWRITTEN = 0.5
"""A statement that shares at least this part of its words with a former one is shown as that one
rewritten."""


@dataclass(frozen=True, slots=True)
class Heading:
    """`anchor` is the id in the page: the label's key if the heading names one in backticks, so
    that it stays the same when the heading is reworded. `title` is the text without the key."""

    anchor: str
    title: str
    level: int


def render_guideline(markdown: str) -> str:
    """An HTML fragment: a table of contents of all headings, then the text.

    HTML tags in it become plain text. Each cell of a table names its column, for narrow screens.
    """
    tokens = _PARSER.parse(markdown)
    headings = _name_headings(tokens)
    _name_cells(tokens)
    text = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return f'{_contents(headings)}<div class="sections">\n{text}</div>\n'


def describe_changes(before: str, after: str) -> str:
    """An HTML fragment: what was removed (`del`) and added (`ins`), under the title of its section.

    Sections belong together if their headings name the same label, or else say the same. Titles
    link into the page of `render_guideline(after)`. Empty if the two versions say the same.
    """
    old, new = _sections(before), _sections(after)
    changes = [
        _section_changes(old.get(anchor), new.get(anchor)) for anchor in dict.fromkeys([*new, *old])
    ]
    return "".join(changes)


# --- the page ------------------------------------------------------------------------------------


def _name_headings(tokens: Sequence[Token]) -> list[Heading]:
    """The headings in order; sets their ids."""
    headings: list[Heading] = []
    taken: set[str] = set()
    for token, inline in pairwise(tokens):
        if token.type != "heading_open":
            continue
        text, key = _plain(inline), _key(inline)
        anchor = _free_anchor(key or text, taken)
        token.attrSet("id", anchor)
        title = re.sub(rf"\s*\({re.escape(key)}\)$", "", text) if key else text
        headings.append(Heading(anchor, title or text or anchor, int(token.tag[1:])))
    return headings


def _free_anchor(text: str, taken: set[str]) -> str:
    """An id made of the words of a text, not taken yet; takes it."""
    name = "-".join(re.findall(r"\w+", _SECTION_NUMBER.sub("", text.casefold()))) or "section"
    anchor, number = name, 1
    while anchor in taken:
        number += 1
        anchor = f"{name}-{number}"
    taken.add(anchor)
    return anchor


def _contents(headings: Iterable[Heading]) -> str:
    entries = [
        f'<li class="level-{heading.level}">'
        f'<a href="#{quote(heading.anchor)}">{escape(heading.title)}</a></li>\n'
        for heading in headings
    ]
    return f'<nav class="contents"><ul>\n{"".join(entries)}</ul></nav>\n' if entries else ""


def _name_cells(tokens: Sequence[Token]) -> None:
    """Gives each cell of a table the heading of its column."""
    for token, head in _cells(tokens):
        if token.type == "td_open":
            token.attrSet("data-head", head)
        else:
            token.attrSet("scope", "col")


def _cells(tokens: Sequence[Token]) -> Iterator[tuple[Token, str]]:
    """The opening of each cell, with the heading of its column."""
    heads: list[str] = []
    column = 0
    for token, inline in pairwise(tokens):
        if token.type == "table_open":
            heads = []
        elif token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            heads.append(_plain(inline))
            yield token, heads[-1]
        elif token.type == "td_open":
            yield token, heads[column]
            column += 1


def _plain(inline: Token) -> str:
    """The words of a paragraph, a heading or a cell, without marks."""
    children = inline.children or ()
    words = "".join(" " if child.type.endswith("break") else child.content for child in children)
    return " ".join(words.split())


def _key(inline: Token) -> str:
    """What a heading names in backticks; empty if it names nothing."""
    children = inline.children or ()
    return next((" ".join(c.content.split()) for c in children if c.type == "code_inline"), "")


# --- changes -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the statements below it, up to the next heading. What comes before the first
    heading has a heading without text."""

    heading: Heading
    statements: tuple[str, ...]


def _sections(markdown: str) -> dict[str, Section]:
    """The sections by their anchors, in order."""
    tokens = _PARSER.parse(markdown)
    headings = [Heading("", "", 1), *_name_headings(tokens)]
    starts = [i for i, token in enumerate(tokens) if token.type == "heading_open"]
    bounds = pairwise([-3, *starts, len(tokens)])  # a heading fills three tokens
    return {
        heading.anchor: Section(heading, tuple(_statements(tokens[start + 3 : end])))
        for heading, (start, end) in zip(headings, bounds, strict=True)
    }


def _statements(tokens: Sequence[Token]) -> Iterator[str]:
    """The units that are compared: a sentence of a paragraph, an item of a list after the
    words that lead to the list, a row of a table with its headings, a block of code."""
    heads = {id(token): head for token, head in _cells(tokens)}
    lead, lists, row = "", 0, list[str]()
    for before, token in pairwise([Token("start", "", 0), *tokens]):
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            lists += 1
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            lists -= 1
            lead = lead if lists else ""
        elif token.type == "tr_close":
            yield from [" · ".join(row)] if row else []
            row = []
        elif token.type in {"fence", "code_block"}:
            yield " ".join(token.content.split())
        elif token.type != "inline" or before.type == "th_open":
            continue
        elif before.type == "td_open":
            row.append(f"{heads[id(before)]}: {_plain(token)}")
        elif lists:
            yield f"{lead} {_plain(token)}".strip()
        else:
            text = _plain(token)
            lead = text if text.endswith(":") else ""
            yield from _SENTENCE_END.split(text)


def _section_changes(old: Section | None, new: Section | None) -> str:
    """One section's changes; empty if there are none."""
    before, after = (section.statements if section else () for section in (old, new))
    titles = [section.heading.title if section else "" for section in (old, new)]
    items = [f"<li>{_marked(*pair)}</li>\n" for pair in _changed_pairs(before, after)]
    numberless = [_SECTION_NUMBER.sub("", title) for title in titles]
    if not items and numberless[0] == numberless[1]:
        return ""
    title = _marked(*titles) if numberless[0] != numberless[1] else escape(titles[1])
    if new and title:
        title = f'<a href="#{quote(new.heading.anchor)}">{title}</a>'
    head = f"<h3>{title}</h3>\n" if title else ""
    return head + (f'<ul class="changed">\n{"".join(items)}</ul>\n' if items else "")


def _changed_pairs(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What a statement was and what it became; empty where it is new or gone."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            yield from _rewritten(before[i:j], after[k:m])


def _rewritten(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs each statement with the one of the former ones that it is most like, if any is like
    it; the former ones that are left come last."""
    left = {i: (statement, set(statement.split())) for i, statement in enumerate(before)}
    for statement in after:
        words = set(statement.split())
        shares = {i: len(words & old) / (len(words | old) or 1) for i, (_, old) in left.items()}
        best = max(shares, key=shares.__getitem__, default=-1)
        like = best >= 0 and shares[best] >= _REWRITTEN
        yield left.pop(best)[0] if like else "", statement
    yield from ((statement, "") for statement, _ in left.values())


def _marked(old: str, new: str) -> str:
    """Both texts as one, in HTML, with removed and added words marked."""
    before, after = old.split(), new.split()
    parts = []
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, added = (escape(" ".join(words)) for words in (before[i:j], after[k:m]))
        if tag == "equal":
            parts.append(added)
            continue
        parts += [f"<del>{gone}</del>"] if gone else []
        parts += [f"<ins>{added}</ins>"] if added else []
    return " ".join(parts)
