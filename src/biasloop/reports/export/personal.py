"""Finds personal data in texts: addresses and numbers by their form and checksums, names of contact
persons by what stands before them.

A name without such a cue is not found: in an ad it could be a company, a street or a product.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from stdnum import iban
from stdnum.it import codicefiscale, iva

from biasloop.intake.wording import known_languages, wording_of
from biasloop.reports.export.phones import Place, find_phones


class Personal(StrEnum):
    """Kinds of personal data."""

    EMAIL = "e-mail addresses"
    PHONE = "phone numbers"
    TAX_CODE = "tax codes"
    IBAN = "IBANs"
    VAT = "VAT numbers"
    NAME = "names of contact persons"


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data at the characters [start, end) of a text."""

    start: int
    end: int
    kind: Personal


ALL_KINDS = frozenset(Personal)

_PLAIN = {
    **dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "),
    **dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-"),
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(range(0x300, 0x370), "x"),
}
"""Characters that are read as plain ones: non-breaking and other spaces, typographic dashes,
full-width characters, and combining marks, which count as one more letter. Each is replaced by one
character, so that places stay true. `suspects` has the same for RE2."""

_AT = re.compile(r"@|\[at\]|\(at\)", re.IGNORECASE)
_BEFORE_AT = re.compile(r"\s?[\w.+%-]+")
"""For the reversed text before a sign."""
_AFTER_AT = re.compile(r"\s?(?:[\w-]+\.)+[^\W\d]{2,}")
_TAX_CODE = re.compile(
    r"\b[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]\b", re.IGNORECASE
)
_IBAN = re.compile(r"\b[A-Z]{2} ?\d{2}(?:[ -]?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_VAT = re.compile(r"\b(?:IT ?)?\d{11}\b", re.IGNORECASE)
_FIRST = r"[^\W\d_a-zà-ÿ][\w'’-]*"
_BEHIND_CUE = r"(?:[ \t]*\([^()\n]{1,40}\))?(?:[ \t]*[:.,-]\s*|\s+)"
_NEXT = rf"[ \t]+(?:(?:de|di|del|della|van|von|la|lo)[ \t]+)?{_FIRST}"


def find_personal(text: str, kinds: Set[Personal] = ALL_KINDS) -> list[Finding]:
    """What is found of these kinds, by place. Findings do not overlap: of two that would, the
    one whose kind comes first in `_SEARCHES` counts."""
    findings: list[Finding] = []
    text = text.translate(_PLAIN)
    for kind, search in _SEARCHES.items():
        for start, end in search(text) if kind in kinds else ():
            if not any(f.start < end and start < f.end for f in findings):
                findings.append(Finding(start, end, kind))
    return sorted(findings, key=lambda finding: finding.start)


def _matches(
    pattern: re.Pattern[str], is_valid: Callable[[str], bool]
) -> Callable[[str], Iterator[Place]]:
    def search(text: str) -> Iterator[Place]:
        return (match.span() for match in pattern.finditer(text) if is_valid(match[0]))

    return search


def _emails(text: str) -> Iterator[Place]:
    """Starts from each "@", because few words of a text stand before one."""
    free = 0
    for at in _AT.finditer(text):
        before = _BEFORE_AT.match(text[free : at.start()][::-1])
        after = _AFTER_AT.match(text, at.end())
        free = at.end()
        if before and after:
            yield at.start() - before.end(), after.end()
            free = after.end()


def _ibans(text: str) -> Iterator[Place]:
    """An IBAN may be followed by words in capitals, so the longest valid beginning counts."""
    for match in _IBAN.finditer(text):
        for end in range(match.end(), match.start() + 14, -1):
            if text[end - 1].isalnum() and iban.is_valid(text[match.start() : end]):
                yield match.start(), end
                break


def _names(text: str) -> Iterable[Place]:
    names = [place for pattern in _name_patterns() for place in _named(pattern, text)]
    for name in {text[start:end] for start, end in names if " " in text[start:end]}:
        names += [match.span() for match in re.finditer(rf"\b{re.escape(name)}\b", text)]
    return dict.fromkeys(names)


def _named(pattern: re.Pattern[str], text: str) -> Iterator[Place]:
    return (match.span("name") for match in pattern.finditer(text))


@cache
def _name_patterns() -> tuple[re.Pattern[str], ...]:
    """After a cue come at least two capitalised words, after a title one is enough. Cues and
    titles are read in any case, names are not."""
    cues, titles = contact_words()
    title = rf"(?:(?i:{titles})(?:\.[ \t]*|[ \t]+))"
    return (
        re.compile(rf"(?<!\w){title}+(?P<name>{_FIRST}(?:{_NEXT}){{0,3}})"),
        re.compile(rf"(?<!\w)(?i:{cues}){_BEHIND_CUE}{title}*(?P<name>{_FIRST}(?:{_NEXT}){{1,3}})"),
    )


@cache
def contact_words() -> tuple[str, str]:
    """The cues and the titles, each as alternatives of a pattern for Python and for RE2."""
    languages = [wording_of(language) for language in known_languages()]
    cues = _any({cue for words in languages for cue in words.contact_before})
    return cues, _any({title for words in languages for title in words.contact_titles})


def _any(words: Iterable[str]) -> str:
    return "|".join(
        re.escape(word).replace("\\ ", " ")
        for word in sorted(words, key=lambda word: (-len(word), word))
    )


_SEARCHES: Mapping[Personal, Callable[[str], Iterable[Place]]] = {
    Personal.EMAIL: _emails,
    Personal.TAX_CODE: _matches(_TAX_CODE, codicefiscale.is_valid),
    Personal.IBAN: _ibans,
    Personal.VAT: _matches(_VAT, iva.is_valid),
    Personal.PHONE: find_phones,
    Personal.NAME: _names,
}
"""How each kind is found, in the order in which they count."""
