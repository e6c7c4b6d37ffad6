"""Finds personal data in texts: addresses and numbers by their form and checksums, names of contact
persons by what stands before them.

A name without such a cue is not found: in an ad it could be a company, a street or a product.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import phonenumbers
from stdnum import iban
from stdnum.it import codicefiscale, iva

from biasloop.intake.wording import known_languages, wording_of

Place = tuple[int, int]


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


REGIONS = ("IT", "GB")
"""Where a phone number without a country code may be from."""
LIKELY = r"@|\d[\d\s./()\-]{5,}\d|[A-Z]{6}\d{2}"
"""What every text with an address or a number contains, for Python and for RE2."""

_EMAIL = re.compile(r"[\w.+%-]+\s?(?:@|\[at\]|\(at\))\s?(?:[\w-]+\.)+[^\W\d]{2,}", re.IGNORECASE)
_TAX_CODE = re.compile(
    r"\b[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]\b", re.IGNORECASE
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_VAT = re.compile(r"\b(?:IT ?)?\d{11}\b", re.IGNORECASE)
_FIRST = r"[^\W\d_a-zà-ÿ][\w'’-]*"
_NEXT = rf"[ \t]+(?:(?:de|di|del|della|van|von|la|lo)[ \t]+)?{_FIRST}"


def find_personal(text: str) -> list[Finding]:
    """What is found, by place; findings do not overlap. Of two, the earlier kind counts."""
    found: list[Finding] = []
    for finding in _candidates(text):
        if not any(f.start < finding.end and finding.start < f.end for f in found):
            found.append(finding)
    return sorted(found, key=lambda finding: finding.start)


def _candidates(text: str) -> Iterator[Finding]:
    yield from _matches(_EMAIL, text, Personal.EMAIL, lambda _: True)
    yield from _matches(_TAX_CODE, text, Personal.TAX_CODE, codicefiscale.is_valid)
    yield from _ibans(text)
    yield from _matches(_VAT, text, Personal.VAT, iva.is_valid)
    if re.search(r"\d[\d\s./()\-]{5,}\d", text):
        for region in REGIONS:
            for match in phonenumbers.PhoneNumberMatcher(text, region):
                start = match.start + (match.raw_string[0] in "(/")
                yield Finding(start, match.end, Personal.PHONE)
    names = [place for pattern in _name_patterns() for place in _named(pattern, text)]
    for name in {text[start:end] for start, end in names if " " in text[start:end]}:
        names += [match.span() for match in re.finditer(rf"\b{re.escape(name)}\b", text)]
    yield from (Finding(start, end, Personal.NAME) for start, end in dict.fromkeys(names))


def _matches(
    pattern: re.Pattern[str], text: str, kind: Personal, is_valid: Callable[[str], bool]
) -> Iterator[Finding]:
    for match in pattern.finditer(text):
        if is_valid(match[0]):
            yield Finding(*match.span(), kind)


def _ibans(text: str) -> Iterator[Finding]:
    """An IBAN may be followed by words in capitals, so the longest valid beginning counts."""
    for match in _IBAN.finditer(text):
        for end in range(match.end(), match.start() + 14, -1):
            if not text[end - 1].isspace() and iban.is_valid(text[match.start() : end]):
                yield Finding(match.start(), end, Personal.IBAN)
                break


def _named(pattern: re.Pattern[str], text: str) -> Iterator[Place]:
    return (match.span("name") for match in pattern.finditer(text))


@cache
def _name_patterns() -> tuple[re.Pattern[str], ...]:
    """Behind a cue come at least two capitalised words, behind a title one is enough. Cues and
    titles are read in any case, names are not."""
    cues, titles = _cues()
    title = rf"(?:(?i:{titles})\.?[ \t]+)"
    return (
        re.compile(rf"(?<!\w){title}+(?P<name>{_FIRST}(?:{_NEXT}){{0,3}})"),
        re.compile(
            rf"(?<!\w)(?i:{cues})[ \t]*[:.,]?\s+{title}*(?P<name>{_FIRST}(?:{_NEXT}){{1,3}})"
        ),
    )


def cue_pattern() -> str:
    """What every text with a name that is found contains, in any case, for Python and for RE2."""
    return "|".join(rf"\b(?:{words})" for words in _cues())


@cache
def _cues() -> tuple[str, str]:
    languages = [wording_of(language) for language in known_languages()]
    cues = _any({cue for words in languages for cue in words.contact_before})
    return cues, _any({title for words in languages for title in words.contact_titles})


def _any(words: Iterable[str]) -> str:
    return "|".join(
        re.escape(word).replace("\\ ", " ")
        for word in sorted(words, key=lambda word: (-len(word), word))
    )
