"""Cuts an ad into sentences, with their character offsets.

The library `sentencex` decides where sentences end, with two changes for job ads: since they are
more list than prose, a line break or a bullet always starts a new sentence (so that a heading is a
sentence of its own), and cuts after abbreviations that sentencex does not know are undone.
"""

import re
from collections.abc import Iterator

from sentencex import get_sentence_boundaries

MAX_WORDS = 60
"""Longer sentences are cut at semicolons; not at commas, where the parts would lose their sense."""

Span = tuple[int, int]

_BULLETS = "•●▪◦‣·∙➢➤✓✔☑"
_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_INLINE_BULLET = re.compile(rf"\s[{_BULLETS}](?=\s)|(?<=[;:.])\s+[-–*](?=\s)")
_BLANK = r"[\s\u200b\u200e\u200f\ufeff]"
_MARKERS = re.compile(  # bullets, numbering and Markdown marks before a sentence
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
    # Abbreviations that never end a sentence, because they refer to what follows.
    "it": frozenset((
        "arch", "art", "artt", "avv", "cap", "cat", "cfr", "conosc", "dec", "decr", "dgr", "dl",
        "dlgs", "dott", "dpr", "dr", "es", "fax", "geom", "ing", "leg", "lett", "lgs", "lgsl",
        "liv", "max", "min", "n", "nr", "num", "pag", "par", "pos", "prof", "prot", "rag", "reg",
        "rep", "rif", "sez", "sig", "sigg", "ss", "ssa", "tel", "vol",
    )),
}  # fmt: skip


def sentences(text: str, language: str) -> list[Span]:
    """Character offsets of the sentences of `text`, in order; they do not overlap.

    White space, bullets, numbering and Markdown marks around a sentence are left out, and so are
    pieces without a letter. `language` is a BCP 47 tag ("it", "it-IT"); if it is unknown or empty,
    general rules apply.
    """
    tag = language.lower().partition("-")[0]
    spans = (
        _trim(text, *part)
        for unit in _units(text)
        for sentence in _cut_unit(text, *_trim(text, *unit), tag)
        for part in _cut_long(text, *sentence)
    )
    return [(start, end) for start, end in spans if any(map(str.isalpha, text[start:end]))]


def _units(text: str) -> Iterator[Span]:
    """Lines; a line with bullet points in it is cut before each of them."""
    for line in _LINE.finditer(text):
        start = line.start()
        for bullet in _INLINE_BULLET.finditer(text, line.start(), line.end()):
            yield start, bullet.start()
            start = bullet.start()
        yield start, line.end()


def _cut_unit(text: str, start: int, end: int, language: str) -> list[Span]:
    """Cuts a unit into sentences, without gaps between them."""
    # These replacements keep the offsets. sentencex rejects lone surrogates, and does not cut
    # between two typographic apostrophes or asterisks, which it takes for quotation marks.
    unit = _SURROGATE.sub("x", text[start:end]).replace("*", " ")
    unit = _APOSTROPHE.sub("'", unit)
    spans: list[Span] = []
    for boundary in get_sentence_boundaries(language, unit):
        first, last = start + boundary["start_index"], start + boundary["end_index"]
        if spans and (closing := _CLOSING.match(text, first, last)):
            first = closing.end()
            spans[-1] = (spans[-1][0], first)
        before = text[max(start, first - 40) : first]
        if spans and _is_wrong_cut(before, text[first:last], language):
            first = spans.pop()[0]
        spans.append((first, last))
    return spans


def _is_wrong_cut(before: str, after: str, language: str) -> bool:
    """Whether sentencex should not have cut here: `before` is the end of the text before the cut,
    `after` the sentence after it."""
    if re.match(r"[,;:]", after):
        return True
    if not before.rstrip().endswith("."):
        return False
    word = _LAST_WORD.search(before)
    if word and word[1].lower() in _ABBREVIATIONS.get(language, ()):
        return True
    if _SPLIT_NAME.search(before) and _REST_OF_NAME.match(after):
        return True
    # "S.p.A. è", "c. 1": a short or dotted word, and no capital letter after it.
    return _DOTTED.search(before) is not None and not after[:1].isupper()


def _cut_long(text: str, start: int, end: int) -> Iterator[Span]:
    """Cuts a sentence at the semicolon nearest to its middle, and each part again, as long as they
    have more than MAX_WORDS words."""
    cuts = [match.end() for match in _SEMICOLON.finditer(text, start, end)]
    if len(text[start:end].split()) <= MAX_WORDS or not cuts:
        yield start, end
        return
    middle = min(cuts, key=lambda cut: abs(2 * cut - start - end))
    yield from _cut_long(text, start, middle)
    yield from _cut_long(text, middle, end)


def _trim(text: str, start: int, end: int) -> Span:
    """Leaves out white space, bullets and numbering around a span, and emphasis if it encloses the
    whole span."""
    while True:
        markers = _MARKERS.match(text, start, end)
        start = markers.end() if markers else start
        end = start + len(text[start:end].rstrip(_WHITE))
        emphasis = _EMPHASIS.fullmatch(text, start, end)
        if not emphasis:
            return start, end
        start, end = start + len(emphasis[1]), end - len(emphasis[1])
