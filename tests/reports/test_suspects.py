"""Whole columns are searched by cheap necessary conditions first; nothing may be lost by that."""

import re

import phonenumbers
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.reports.export.masked_places import MaskedPlaces
from biasloop.reports.export.masking import within
from biasloop.reports.export.personal import Finding, Personal, find_personal
from biasloop.reports.export.phones import NUMBER, REGIONS, find_phones
from biasloop.reports.export.suspects import find_in_column

PARTS = (
    "02 12345678", "333 1234567", "0341/654321", "+39 347 1234567", "+44 20 7946 0958", "800123456",
    "(02) 1234 567", "0039 02 12345678", "٠٢ ١٢٣٤٥٦٧٨", "+39\u00a0347\u00a01234567", "06-6982 1234",
    "ext. 12", "ext", "x12", "int 5", ";ext=7", "#", "interno", "extensio\u0301n: 3", "доб",
    "31/12/2026", "2026-01-02 08", ":30", "1.200,00", "30.000-35.000", "123456", "00", "7", "[",
    "(", "+", "/", "ー", ". . .", "\n", "\u00a0", " ", ", ", "tel", "fax", "a",
    "telefonicamente", "É", "RSSMRA85T10A562S", "rssmra85t10a562s", "RSSMRA85T10A56NH",
    "RSSMRA85T10A562\u017f",
    "IT60 X054 2811 1010 0000 0123 456", "GB82WEST12345698765432", "00743110157", "P. IVA IT",
    "mario.rossi@example.it", "selezione [AT] example.org", "(at)", "@", "Contatto:", "CONTATTO",
    "contatto (HR) - ", "Sig.", "IT 60-X054 2811-1010 0000 0123 456",
    "contattare\u2003", "rıferimento: ", "dott.ssa", "Dr. ", "Ms\t", "Anna Rossi", "É. Żak", "anna",
    "d'Àmico", "ing. meccanico", "_", "0", "5\u0301",
)  # fmt: skip
"""Made-up data of all kinds, what could be taken for it, and what stands between."""

made_up = st.lists(
    st.sampled_from(PARTS) | st.text(max_size=3) | st.from_regex(r"[0-9]{1,12}", fullmatch=True)
    | st.just(" "),
    max_size=14,
).map("".join)  # fmt: skip
texts = made_up | st.text(max_size=80)


@settings(max_examples=500)
@given(st.lists(texts | st.none(), min_size=1, max_size=5))
def test_a_column_shows_what_each_text_shows(column: list[str | None]) -> None:
    alone = {row: find_personal(text) for row, text in enumerate(column) if text is not None}
    found = find_in_column(pa.array(column, pa.string()))
    assert found == {row: findings for row, findings in alone.items() if findings}


@settings(max_examples=1_000)
@given(made_up)
def test_phone_numbers_are_those_of_the_whole_text(text: str) -> None:
    whole = [
        (match.start + (match.raw_string[0] in "(/"), match.end)
        for region in REGIONS
        for match in phonenumbers.PhoneNumberMatcher(text, region)
    ]
    assert list(find_phones(text)) == (whole if NUMBER.search(text) else [])


ADDRESS = re.compile(r"[\w.+%-]+\s?(?:@|\[at\]|\(at\))\s?(?:[\w-]+\.)+[^\W\d]{2,}", re.IGNORECASE)
of_addresses = st.lists(
    st.sampled_from(
        ["@", "[at]", "(AT)", "a", "b.", "c.it", "1", "+", ".", " ", "\n", "-", "è", "["]
    )
).map("".join)


@given(of_addresses | made_up)
def test_addresses_are_those_of_one_pattern(text: str) -> None:
    found = [(f.start, f.end) for f in find_personal(text, {Personal.EMAIL})]
    assert found == [match.span() for match in ADDRESS.finditer(text)]


def test_numbers_of_all_countries_are_found() -> None:
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number(country)
        assert example is not None
        written = phonenumbers.format_number(
            example, phonenumbers.PhoneNumberFormat.INTERNATIONAL
        ).replace(" ", "")
        text = f"Telefonare allo {written} in orario d'ufficio 08-17.30.12"
        assert (16, 16 + len(written)) in list(find_phones(text)), (country, text)


places = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=6)


@given(st.lists(places, max_size=3), places)
def test_items_touched_by_a_masked_place(
    ads: list[list[tuple[int, int]]], spans: list[tuple[int, int]]
) -> None:
    findings: dict[str, list[Finding]] = {}
    for number, ad in enumerate(ads):
        end, found = 0, []
        for gap, length in ad:
            found.append(Finding(end + gap, end + gap + length, Personal.EMAIL))
            end += gap + length
        findings[f"ad-{number}"] = found
    items = [(ad, *span) for ad in [*findings, "other", None] for span in spans]
    ad_ids, starts, lengths = zip(*items, strict=True) if items else ((), (), ())
    touched = MaskedPlaces(findings).touch(
        pa.array(ad_ids, pa.string()), pa.array(starts, pa.int64()), pa.array(lengths, pa.int32())
    )
    expected = [
        bool(within(findings.get(ad or "", ()), start, length)) for ad, start, length in items
    ]
    assert touched.tolist() == expected
