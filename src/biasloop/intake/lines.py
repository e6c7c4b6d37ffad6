"""Which lines of an ad are headings, and which of them are halves of one sentence.

Both are recognised by how a line is written, and by the words of its language if there is a file of
them (intake/wording.py). In doubt a line is content and stands alone: a requirement that is taken
for a heading is never labelled, a heading that is taken for content costs one question.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from biasloop.intake.wording import Wording

MAX_HEADING_WORDS = 8
"""Lines with more words are no headings."""

MAX_WORDS_BEFORE_COLON = 2
"""In a language without a file of words, lines with more words before a colon are no headings."""

WRAPPED_CHARACTERS = 50
"""A line with at least this many characters may have been broken by a program."""

BULLETS = "•●▪◦‣·∙➢➤✓✔☑"

_BEFORE_ITEMS = frozenset([*BULLETS, *"-–—*+\\"])
_WORD = re.compile(r"[^\W\d_]+")
_FIRST_WORD = re.compile(r"[*_(\"“«'‘]*([^\W\d_]+|\d)")
_NUMBERING = re.compile(  # "Art. 2", "3.1"; a bare number has a mark after it
    r"\A(?:[^\W\d_]{1,10}\.?\s{0,3}\d{1,3}|\d{1,3}(?=\s{0,3}[-–—.):°]))"
    r"(?:\.\d{1,3})*(?=[-–—.):°\s]|\Z)"
)
_MARKS = "*_ \t\"“”«»'’‘("
_NO_HEADING = re.compile(r"\d|[.!;…]\Z")
_ENDED = ".!?:;…"


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or a part of one that begins with a bullet, without what stands around its words.

    `mark` is the bullet, number or Markdown mark with which it begins, `indent` the number of
    characters before its mark. `closed` says whether it is emphasised as a whole, so that no other
    line belongs to it, `after_blank` whether an empty line stands before it.
    """

    start: int
    end: int
    text: str
    mark: str = ""
    closed: bool = False
    indent: int = 0
    after_blank: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A heading, or one or more lines that are cut into sentences together."""

    start: int
    end: int
    heading: bool = False


def join_lines(lines: Sequence[Line], wording: Wording) -> Iterator[Piece]:
    """The headings, and the lines between them, those of one sentence joined. A heading has
    something below it, so the last line is none."""
    joined: list[Line] = []
    for place, line in enumerate(lines, start=1):
        heading = place < len(lines) and is_heading(line, wording)
        if joined and not heading and goes_on(joined[0], joined[-1], line, wording):
            joined.append(line)
            continue
        if joined:
            yield Piece(joined[0].start, joined[-1].end)
        joined = [] if heading else [line]
        if heading:
            yield Piece(line.start, line.end, heading=True)
    if joined:
        yield Piece(joined[0].start, joined[-1].end)


def is_heading(line: Line, wording: Wording) -> bool:
    """Whether the words of this line only say what the lines below are about."""
    text = line.text.strip(_MARKS)
    colon = text.endswith(":")
    # An item of a list, with a bullet or without one (then it may begin in lower case).
    if not colon and (line.mark[:1] in _BEFORE_ITEMS or not text[:1].isupper()):
        return False
    words = [word.lower() for word in _WORD.findall(text)]
    if not 0 < len(words) <= MAX_HEADING_WORDS or _NO_HEADING.search(_NUMBERING.sub("", text)):
        return False
    if not wording.headings:
        return colon and len(words) <= MAX_WORDS_BEFORE_COLON
    if " ".join(words) in wording.heading_lines:
        return True
    return (
        any(word in wording.headings for word in words)
        and all(word in wording.headings or word in wording.goes_on_after for word in words)
        and (colon or words[-1] not in wording.goes_on_after)
    )


def goes_on(first: Line, before: Line, after: Line, wording: Wording) -> bool:
    """Whether the sentence that begins in the line `first` and has reached the line `before` goes
    on in the line `after`."""
    begins = _FIRST_WORD.match(after.text)
    if after.mark or not begins or before.text.rstrip(_MARKS)[-1:] in _ENDED:
        return False
    if _is_open(before.text, wording):
        return True
    if before.closed or after.after_blank:
        return False
    lower, wrapped = begins[1].islower(), len(before.text) >= WRAPPED_CHARACTERS
    if first.mark:
        return after.indent > first.indent and (lower or wrapped)
    # Items of a list in lower case begin like halves; then the first line does so, too.
    if after.closed or not lower or not first.text.lstrip(_MARKS)[:1].isupper():
        return False
    return wrapped or begins[1] in wording.goes_on_with


def _is_open(text: str, wording: Wording) -> bool:
    """Whether a line ends with a word that another one must follow."""
    words = text.rsplit(maxsplit=1)
    word = words[-1].strip(_MARKS) if words else ""
    return word.lower() in wording.goes_on_after_verb or (
        word != "" and all(part in wording.goes_on_after for part in word.split("/"))
    )
