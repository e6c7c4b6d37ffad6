"""Phone numbers in texts, as `phonenumbers` finds them, at a fraction of its time.

The matcher of `phonenumbers` parses every group of digits of a text. Here it only sees stretches of
digits that can hold a number at all, and each distinct stretch once.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import phonenumbers

Place = tuple[int, int]

REGIONS = ("IT", "GB")
"""Where a phone number without a country code may be from."""
CACHED_STRETCHES = 32_768
"""Stretches whose numbers are cached: a number stands in many ads of one employer."""

NUMBER = re.compile(r"\d[\d\s./()\-]{5,}\d")
"""What every text with a phone number contains."""
_BETWEEN = r"\W_xー"
"""What may stand between digits of a number ("x" and "ー" for a dash), and more."""
_STRETCH = re.compile(
    rf"[{_BETWEEN}]{{0,11}}\d[{_BETWEEN}\d]*+"
    rf"(?:[^\W\d_]{{1,12}}+(?:\u0301n)?[{_BETWEEN}]*+\d[{_BETWEEN}\d]*+)*"
)
"""Digits and what stands between them. No number reaches over the ends of a stretch: it begins at
most ten characters before its first digit, and holds at most one word ("ext", "extensión")
before the digits of an extension."""
_NO_DIGITS = re.compile(r"[^\d+＋]+")
_COUNTRY_CODE = re.compile(r"[+＋]|00")
"""How a number with a country code begins; any other has the form of one of its region."""


def find_phones(text: str) -> Iterator[Place]:
    """The places [start, end) of phone numbers: those that are valid in the first of `REGIONS`,
    then those of the next one, so places of two regions may overlap."""
    if not NUMBER.search(text):
        return
    stretches = [(*match.span(), _digits(match[0])) for match in _STRETCH.finditer(text)]
    for region in REGIONS:
        for begin, end, digits in stretches:
            if _COUNTRY_CODE.search(digits) or _number_pattern(region).search(digits):
                # The matcher looks at the characters next to a number, too.
                first = max(begin - 1, 0)
                for start, stop in _match_numbers(text[first : end + 1], region):
                    yield first + start, first + stop


def _digits(stretch: str) -> str:
    """The digits of a stretch, and the plus sign of a country code."""
    digits = _NO_DIGITS.sub("", stretch)
    return digits if digits.isascii() else phonenumbers.normalize_digits_only(digits)


@cache
def _number_pattern(region: str) -> re.Pattern[str]:
    """A pattern for the digits of any number with the country code of the region."""
    code = phonenumbers.country_code_for_region(region)
    countries = (
        phonenumbers.PhoneMetadata.metadata_for_region(country)
        for country in phonenumbers.region_codes_for_country_code(code)
    )
    return re.compile(
        "|".join(
            country.general_desc.national_number_pattern
            for country in countries
            if country is not None
        )
    )


@lru_cache(CACHED_STRETCHES)
def _match_numbers(text: str, region: str) -> tuple[Place, ...]:
    """The places of what the matcher finds in `text`, without a bracket or slash in front."""
    return tuple(
        (match.start + (match.raw_string[0] in "(/"), match.end)
        for match in phonenumbers.PhoneNumberMatcher(text, region)
    )
