"""Cuts an ad into sentences, with their character offsets.

`sentencex` decides where sentences end. Around it stands what job ads need: they are lists more
than prose, so that a line break or a bullet always starts a new sentence (and a heading is one by
itself), and sentencex's cuts after abbreviations that it does not know are taken back.
"""

import re
from collections.abc import Iterator

from sentencex import get_sentence_boundaries

MAX_WORDS = 60
"""Longer sentences are cut at semicolons. Not at commas: halves would lose what they say."""

Span = tuple[int, int]

_BULLETS = "•●▪◦‣·∙➢➤✓✔☑"
_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_INLINE_BULLET = re.compile(rf"\s[{_BULLETS}](?=\s)|(?<=[;:.])\s+[-–*](?=\s)")
_BLANK = r"[\s\u200b\u200e\u200f\ufeff]"
_LEAD = re.compile(
    rf"(?:{_BLANK}|#{{1,6}}(?={_BLANK})|>|[{_BULLETS}]|\\?[-–—*+](?={_BLANK})"
    rf"|(?:\d{{1,2}}[.)]|[A-Za-z]\))(?={_BLANK}))*"
)
_SEMICOLON = re.compile(r";(?=\s*\w)")
_WHITE = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200e\u200f\ufeff"
_EMPHASIS = re.compile(r"(\*\*|__|\*|_)(?!\s)(?:(?!\1).)+(?<!\s)\1", re.DOTALL)
_APOSTROPHE = re.compile(r"(?<=\w)’(?=\w)")
_CLOSING = re.compile(r"[)\]»”*_]+(?=\s|\Z)\s*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

_LAST_WORD = re.compile(r"([^\W\d_]+)\.\s*\Z")
_DOTTED = re.compile(r"(?:\b[^\W\d_]{1,4}\.)*\b[^\W\d_]{1,4}\.\s*\Z")
_SPLIT_NAME = re.compile(r"(?:\A|[\s(/])[A-Z]*\.\Z")  # ".NET", "S.O.L.I.D.", cut in two
_REST_OF_NAME = re.compile(r"[A-Z]{2}|[A-Z]\.|Net\b")
_ABBREVIATIONS = {
    # Never the end of a sentence: something belongs to them that comes after.
    "it": frozenset((
        "arch", "art", "artt", "avv", "cap", "cat", "cfr", "conosc", "dec", "decr", "dgr", "dl",
        "dlgs", "dott", "dpr", "dr", "es", "fax", "geom", "ing", "leg", "lett", "lgs", "lgsl",
        "liv", "max", "min", "n", "nr", "num", "pag", "par", "pos", "prof", "prot", "rag", "reg",
        "rep", "rif", "sez", "sig", "sigg", "ss", "ssa", "tel", "vol",
    )),
}  # fmt: skip


def sentences(text: str, language: str) -> list[Span]:
    """Character offsets of the sentences of `text`: in order, apart, never empty.

    White space, bullets, numbering and Markdown marks around a sentence are left out; what has no
    letter is no sentence. `language` is a BCP 47 tag ("it", "it-IT"); an unknown or empty one is
    cut by general rules.
    """
    tag = language.lower().partition("-")[0]
    found = (
        _trimmed(text, *short)
        for unit in _units(text)
        for sentence in _cut(text, *_trimmed(text, *unit), tag)
        for short in _shortened(text, *sentence)
    )
    return [(start, end) for start, end in found if any(map(str.isalpha, text[start:end]))]


def _units(text: str) -> Iterator[Span]:
    """Lines, and the bullet points within a line."""
    for line in _LINE.finditer(text):
        start = line.start()
        for bullet in _INLINE_BULLET.finditer(text, line.start(), line.end()):
            yield start, bullet.start()
            start = bullet.start()
        yield start, line.end()


def _cut(text: str, start: int, end: int, language: str) -> list[Span]:
    """The sentences of one unit, which they cover without gaps."""
    # The changes keep the offsets. sentencex takes no lone surrogates, and does not cut between
    # two typographic apostrophes or asterisks, which it reads as quotation marks.
    unit = _SURROGATE.sub("x", text[start:end]).replace("*", " ")
    unit = _APOSTROPHE.sub("'", unit)
    spans: list[Span] = []
    for boundary in get_sentence_boundaries(language, unit):
        first, last = start + boundary["start_index"], start + boundary["end_index"]
        if spans and (closing := _CLOSING.match(text, first, last)):
            first = closing.end()
            spans[-1] = (spans[-1][0], first)
        tail = text[max(start, first - 40) : first]
        if spans and _belong(tail, text[first:last], language):
            first = spans.pop()[0]
        spans.append((first, last))
    return spans


def _belong(before: str, after: str, language: str) -> bool:
    """Whether sentencex should not have cut between these (`before` is the end of what was)."""
    if re.match(r"[,;:]", after):
        return True
    if not before.rstrip().endswith("."):
        return False
    word = _LAST_WORD.search(before)
    if word and word[1].lower() in _ABBREVIATIONS.get(language, ()):
        return True
    if _SPLIT_NAME.search(before) and _REST_OF_NAME.match(after):
        return True
    # "S.p.A. è", "c. 1": short or dotted, and no capital after it.
    return _DOTTED.search(before) is not None and not after[:1].isupper()


def _shortened(text: str, start: int, end: int) -> Iterator[Span]:
    """The sentence, halved at semicolons while it has over MAX_WORDS words."""
    places = [mark.end() for mark in _SEMICOLON.finditer(text, start, end)]
    if len(text[start:end].split()) <= MAX_WORDS or not places:
        yield start, end
        return
    middle = min(places, key=lambda place: abs(2 * place - start - end))
    yield from _shortened(text, start, middle)
    yield from _shortened(text, middle, end)


def _trimmed(text: str, start: int, end: int) -> Span:
    """Without white space, bullets and numbering around it, nor emphasis around all of it."""
    while True:
        lead = _LEAD.match(text, start, end)
        start = lead.end() if lead else start
        end = start + len(text[start:end].rstrip(_WHITE))
        emphasis = _EMPHASIS.fullmatch(text, start, end)
        if not emphasis:
            return start, end
        start, end = start + len(emphasis[1]), end - len(emphasis[1])
