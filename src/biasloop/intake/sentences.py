"""Cuts an ad into sentences, with their character offsets.

The library `sentencex` decides where sentences end, with changes for job ads, which are more list
than prose: a line break or a bullet starts a new sentence, unless the line is the other half of a
sentence; headings are no sentences (intake/lines.py for both); and cuts after abbreviations that
sentencex does not know are undone.

sentencex does not see addresses, which it would cut. The time that it takes grows with the square
of a text, so it sees no more than a window of a long line.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from sentencex import get_sentence_boundaries

from biasloop.domain.text import normalise
from biasloop.intake.lines import BULLETS, Line, Piece, join_lines
from biasloop.intake.wording import Wording, wording_of

MAX_WORDS = 60
"""Longer sentences are cut at semicolons; not at commas, where the parts would lose their sense."""

WINDOW = 1_000
"""The number of characters in which sentencex looks for the ends of sentences."""

Span = tuple[int, int]

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_INLINE_BULLET = re.compile(rf"\s[{BULLETS}](?=\s)|(?<=[;:.])\s+[-–*](?=\s)")
_BLANK = r"[\s\u200b\u200e\u200f\ufeff]"
_BREAKS = dict.fromkeys(map(ord, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), " ")
_MARKERS = re.compile(  # bullets, numbering and Markdown marks before a sentence
    rf"(?:{_BLANK}|#{{1,6}}(?={_BLANK})|>|[{BULLETS}]|\\?[-–—*+](?={_BLANK})"
    rf"|(?:\d{{1,2}}[.)]|[A-Za-z]\))(?={_BLANK}))*"
)
_SEMICOLON = re.compile(r";(?=\s*\w)")
_WHITE = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200e\u200f\ufeff"
_EMPHASIS = re.compile(r"(\*\*|__|\*|_)(?!\s)(?:(?!\1).)+(?<!\s)\1", re.DOTALL)
_APOSTROPHE = re.compile(r"(?<=\w)’(?=\w)")
_CLOSING = re.compile(r"[)\]»”*_]+(?=\s|\Z)\s*")
_ADDRESS = re.compile(  # a URL, an e-mail address or a domain, without punctuation after it
    r"\b(?i:https?://|www\.)\S*\w/?"
    r"|(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+"
    r"|(?<![\w.-])(?:[\w-]++\.)*?[\w-]{3,}+\."
    r"(?:(?i:it|com|org|net|eu|info)|[a-z]{2}|[A-Z]{2})(?![\w-]|\.\w)"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")

_LAST_WORD = re.compile(r"([^\W\d_]+)\.\s*\Z")
_DOTTED = re.compile(r"(?:\b[^\W\d_]{1,4}\.)*\b[^\W\d_]{1,4}\.\s*\Z")
_SPLIT_NAME = re.compile(r"(?:\A|[\s(/])[A-Z]*\.\Z")  # ".NET", "S.O.L.I.D.", cut in two
_REST_OF_NAME = re.compile(r"[A-Z]{2}|[A-Z]\.|Net\b")


def sentences(text: str, language: str) -> list[Span]:
    """Character offsets of the sentences of `text`, in order; they do not overlap.

    White space, bullets, numbering and Markdown marks around a sentence are left out, and so are
    headings and pieces without a letter. `language` is a BCP 47 tag ("it", "it-IT"); if it is
    unknown or empty, general rules apply.
    """
    return [span for span, heading in sentences_and_headings(text, language) if not heading]


def sentences_and_headings(text: str, language: str) -> list[tuple[Span, bool]]:
    """As `sentences`, with the headings among them. Each is (offsets, whether it is a heading)."""
    tag = language.lower().partition("-")[0]
    wording = wording_of(tag)
    normal = normalise(text)
    plain = normal.text
    return [
        (normal.original_span(*span), piece.heading)
        for piece in join_lines(list(_lines(plain)), wording)
        for span in _cut(plain, piece, tag, wording)
        if any(map(str.isalpha, plain[slice(*span)]))
    ]


def _cut(text: str, piece: Piece, language: str, wording: Wording) -> Iterator[Span]:
    """The sentences of a piece; a heading stays whole."""
    if piece.heading:
        yield piece.start, piece.end
        return
    for sentence in _cut_unit(text, piece.start, piece.end, language, wording):
        for part in _cut_long(text, *sentence):
            yield _trim(text, *part)


def _lines(text: str) -> Iterator[Line]:
    """The units of a text, without those in which nothing is left."""
    before = 0
    for start, end in _units(text):
        words_start, words_end = _trim(text, start, end)
        if words_start >= words_end:
            continue
        bare = text[start:end].strip(_WHITE)
        at = start + text[start:end].index(bare)
        markers = _MARKERS.match(bare)
        yield Line(
            words_start,
            words_end,
            text[words_start:words_end],
            mark=markers[0].strip(_WHITE) if markers else "",
            closed=words_end < at + len(bare),
            indent=at - start,
            after_blank=len(_BREAK.findall(text, before, at)) > 1,
        )
        before = words_end


def _units(text: str) -> Iterator[Span]:
    """Lines; a line with bullet points in it is cut before each of them."""
    for line in _LINE.finditer(text):
        start = line.start()
        for bullet in _INLINE_BULLET.finditer(text, line.start(), line.end()):
            yield start, bullet.start()
            start = bullet.start()
        yield start, line.end()


def _cut_unit(text: str, start: int, end: int, language: str, wording: Wording) -> list[Span]:
    """Cuts a line, or lines that belong together, into sentences, without gaps between them."""
    # These replacements keep the offsets. sentencex rejects lone surrogates, and does not cut
    # between two typographic apostrophes or asterisks, which it takes for quotation marks.
    unit = _SURROGATE.sub("x", text[start:end]).replace("*", " ").translate(_BREAKS)
    unit = _APOSTROPHE.sub("'", unit)
    unit = _ADDRESS.sub(lambda address: "x" * len(address[0]), unit)
    cuts: list[int] = []
    for cut, next_cut in pairwise([*_ends(unit, language), len(unit)]):
        closing = _CLOSING.match(text, start + cut, start + next_cut)
        place = closing.end() - start if closing else cut
        if not _is_wrong_cut(unit[max(0, place - 40) : place], unit[place:next_cut], wording):
            cuts.append(start + place)
    return list(pairwise([start, *cuts, end]))


def _ends(unit: str, language: str) -> Iterator[int]:
    """Where sentences of a unit end, without its own end.

    Whether the last sentence of a window ends there is not known, so the next window begins with
    this sentence; at the last space if it fills half of the window, so that windows advance.
    """
    place, half = 0, WINDOW // 2
    while place < len(unit):
        window = unit[place : place + WINDOW]
        boundaries = get_sentence_boundaries(language, window)
        ends = [boundary["end_index"] for boundary in boundaries[:-1]]
        yield from (place + end for end in ends)
        if place + WINDOW >= len(unit):
            return
        advance = ends[-1] if ends and ends[-1] >= half else window.rfind(" ", half) + 1
        place += advance or WINDOW


def _is_wrong_cut(before: str, after: str, wording: Wording) -> bool:
    """Whether sentencex should not have cut here: `before` is the end of the text before the cut,
    `after` the sentence after it."""
    if re.match(r"[,;:]", after):
        return True
    if not before.rstrip().endswith("."):
        return False
    word = _LAST_WORD.search(before)
    if word and word[1].lower() in wording.abbreviations:
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
