"""The form in which programs read a text, with the place of every character in the text as stored.

People see one text where programs see several: with an accent that is a character of its own, with
a soft hyphen inside a word, with a ligature. Everything that makes features of a text, compares
texts or cuts them reads `normalise(text)`.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

NORMALISER_VERSION = 2
"""Part of the id of every encoder: after a change to what is read, features are computed again."""

CUTTER_VERSION = 2
"""Version of the rules by which ads are cut into sentences (intake/sentences.py), in the card of
every model. 1 cut at every line break and asked about headings."""

_IGNORABLE = (  # Unicode's property Default_Ignorable_Code_Point
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_FOLDED = (  # spaces of any width, hyphens, Latin ligatures, full-width and half-width forms
    "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2010\u2011\ufb00-\ufb06\uff00-\uffef"
)
_CHANGED = re.compile(f"[{_IGNORABLE}{_FOLDED}]")
_IGNORED = re.compile(f"[{_IGNORABLE}]")
_TO_FOLD = re.compile(f"[{_FOLDED}]")
_BREAKS = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_LINE_END = rf"[^\S{_BREAKS}]*(?:\r\n|[\n\r\v\f\x85\u2028\u2029])"
_HYPHEN_AT_LINE_END = re.compile(rf"-{_LINE_END}[^\S{_BREAKS}]*")
_SOFT_HYPHEN_AT_LINE_END = re.compile(rf"\u00ad(?={_LINE_END})")
_HANGUL_VOWELS_AND_FINALS = re.compile(r"[\u1161-\u1175\u11a8-\u11c2]")
_WHITE_WITH_A_BREAK = re.compile(rf"(?<!\s)[^\S{_BREAKS}]*[{_BREAKS}]\s*")
_HYPHENS = frozenset("\u2010\u2011")
MAX_MARKS = 30
"""How many marks a character keeps, as in the stream-safe format of Unicode (UAX #15): to sort and
compose more takes quadratic time, and no language has as many."""
_MANY_SIGNS = re.compile(rf"[^\w\s\x00-\x7f]{{{MAX_MARKS + 1},}}")


@dataclass(frozen=True, slots=True)
class MappedText:
    """A text that was made from another one, the original.

    Character i stands for original[starts[i]:ends[i]]; if `starts` and `ends` are None, the texts
    are equal. Places never go backwards.
    """

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    @classmethod
    def from_pieces(cls, pieces: Sequence[tuple[str, int, int]]) -> Self:
        """From pieces (text, start, end): every character of a piece stands for all of
        original[start:end], or for one character of it if the piece is equally long."""
        text: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        for piece, start, end in pieces:
            text.append(piece)
            if len(piece) == end - start:
                starts += range(start, end)
                ends += range(start + 1, end + 1)
            else:
                starts += [start] * len(piece)
                ends += [end] * len(piece)
        return cls("".join(text), starts, ends)

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that text[start:end], which is not empty, stands for."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]

    def span_of_original(self, start: int, end: int) -> tuple[int, int]:
        """The span of this text that stands for original[start:end]; empty if nothing does."""
        if self.starts is None or self.ends is None:
            return start, end
        return bisect_left(self.starts, start), bisect_left(self.starts, end)

    def stripped(self) -> "MappedText":
        """Without white space around it."""
        start = len(self.text) - len(self.text.lstrip())
        end = max(start, len(self.text.rstrip()))
        return MappedText.from_pieces([(self.text[start:end], start, end)]).after(self)

    def after(self, earlier: "MappedText") -> "MappedText":
        """This text as made from the original of `earlier`, from which it was made."""
        if earlier.starts is None or earlier.ends is None:
            return self
        if self.starts is None or self.ends is None:
            return earlier
        spans = [
            earlier.original_span(start, end)
            for start, end in zip(self.starts, self.ends, strict=True)
        ]
        return MappedText(self.text, [span[0] for span in spans], [span[1] for span in spans])


def normalise(text: str) -> MappedText:
    """The text as people see it, in one spelling.

    It is in Unicode form NFC, without default-ignorable characters (soft hyphen, zero-width space,
    variation selectors, ...); Latin ligatures, full-width and half-width forms, hyphens, and spaces
    of any width are the ordinary characters; a word that is broken at the end of a line with a
    hyphen is whole. Letters such as ª and º, and fractions and the like, stay as they are.
    """
    if _is_normal(text):
        return MappedText(text)
    composed = MappedText.from_pieces(list(_composed(text)))
    return _with_whole_words(composed.text).after(composed)


def in_one_line(text: str) -> str:
    """The text as `normalise` returns it, with one space in place of white space that contains a
    line break: a sentence that fills several lines reads as if it were in one."""
    return _WHITE_WITH_A_BREAK.sub(" ", normalise(text).text)


def in_compatibility_form(text: str) -> str:
    """The text in Unicode form NFKC; a character keeps MAX_MARKS marks."""
    return unicodedata.normalize("NFKC", _without_many_marks(text))


def _without_many_marks(text: str) -> str:
    return _MANY_SIGNS.sub(_first_marks, text)


def _first_marks(signs: re.Match[str]) -> str:
    kept, marks = [], 0
    for character in signs[0]:
        marks = marks + 1 if _is_mark(character) else 0
        if marks <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def _is_normal(text: str) -> bool:
    if _HYPHEN_AT_LINE_END.search(text):
        return False
    return text.isascii() or (
        _CHANGED.search(text) is None
        and _without_many_marks(text) == text
        and unicodedata.is_normalized("NFC", text)
    )


def _composed(text: str) -> Iterator[tuple[str, int, int]]:
    """Pieces of the text, each a character with the marks that combine with it, folded and in form
    NFC. Ignorable characters are left out, and marks after the first MAX_MARKS."""
    text = _SOFT_HYPHEN_AT_LINE_END.sub("-", text)
    cluster: list[str] = []
    start = end = 0
    for place, character in enumerate(text):
        if _IGNORED.match(character):
            continue
        folded = _fold(character)
        if cluster and not _combines(folded):
            yield unicodedata.normalize("NFC", "".join(cluster)), start, end
            cluster = []
        if not cluster:
            start = place
        if len(cluster) <= MAX_MARKS:
            cluster.append(folded)
        end = place + 1
    if cluster:
        yield unicodedata.normalize("NFC", "".join(cluster)), start, end


def _fold(character: str) -> str:
    if not _TO_FOLD.match(character):
        return character
    return "-" if character in _HYPHENS else unicodedata.normalize("NFKC", character)


def _combines(folded: str) -> bool:
    """Whether a character can be composed with one before it."""
    return _is_mark(folded[0]) or _HANGUL_VOWELS_AND_FINALS.match(folded) is not None


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _with_whole_words(text: str) -> MappedText:
    """The text without hyphens at the end of a line within a word, and without the line break."""
    pieces: list[tuple[str, int, int]] = []
    place = 0
    for match in _HYPHEN_AT_LINE_END.finditer(text):
        start, end = match.span()
        if text[max(start - 1, 0) : start].isalpha() and text[end : end + 1].islower():
            pieces.append((text[place:start], place, start))
            place = end
    pieces.append((text[place:], place, len(text)))
    return MappedText.from_pieces(pieces)
