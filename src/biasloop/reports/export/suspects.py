"""Finds personal data in columns of texts.

A pass of RE2 over the whole column tells for each kind of personal data which texts can hold it.
Only these suspects are searched one at a time, and only for these kinds.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biasloop.reports.export.personal import Finding, Personal, contact_words, find_personal

_LETTER, _ALIKE = "A-Zıİ", "[iıİ]"
"""RE2 folds case as Python does, except that "i" is neither of the Turkish letters."""
_SPACE = r"\s\x0b\x1c-\x1f\x{85}\p{Z}"
_DIGIT = r"\p{Nd}"
_CODED = rf"[{_DIGIT}LMNP-V]"
"""A digit of a tax code, or the letter in its place."""
_CAPITAL = r"[^\x00-@\[-\x7fà-ÿ]"

_PLAIN = {
    r"[\x{a0}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]": " ",
    r"[\x{2010}-\x{2015}\x{2212}]": "-",
    r"[\x{300}-\x{36f}]": "x",
}
"""Patterns of characters, and what `find_personal` reads them as."""


def find_in_column(texts: pa.Array) -> dict[int, list[Finding]]:
    """`find_personal` of each text, by row; rows without findings are left out."""
    plain = texts
    for signs, sign in _PLAIN.items():
        plain = pc.replace_substring_regex(plain, signs, sign)
    possible = {
        kind: pc.fill_null(pc.match_substring_regex(plain, pattern), False).to_numpy(
            zero_copy_only=False
        )
        for kind, pattern in _PATTERNS.items()
    }
    rows = np.flatnonzero(np.any(list(possible.values()), axis=0))
    findings = {
        row: find_personal(text, frozenset(kind for kind in possible if possible[kind][row]))
        for row, text in zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True)
    }
    return {row: of_text for row, of_text in findings.items() if of_text}


def _name_pattern() -> str:
    cues, titles = (f"(?i:{words.replace('i', _ALIKE)})" for words in contact_words())
    title = rf"{titles}(?:\.[ \t]*|[ \t]+)"
    behind = rf"(?:[ \t]*\([^()\n]{{1,40}}\))?(?:[ \t]*[:.,-][{_SPACE}]*|[{_SPACE}]+)"
    cue = rf"{cues}{behind}(?:{title})*"
    return rf"(?:^|[^\p{{L}}\p{{N}}_])(?:{title}|{cue}){_CAPITAL}"


_PATTERNS: Mapping[Personal, str] = {
    Personal.EMAIL: r"(?i)@|\x{ff20}|\[at\]|\(at\)",
    Personal.TAX_CODE: rf"(?i)[{_LETTER}]{{6}}{_CODED}{{2}}[A-EHLMPRST]{_CODED}{{2}}"
                       rf"[{_LETTER}]{_CODED}{{3}}[{_LETTER}]",
    Personal.IBAN: rf"(?i)[{_LETTER}]{{2}} ?{_DIGIT}{{2}}(?:[ -]?[{_LETTER}0-9]){{11}}",
    Personal.VAT: rf"{_DIGIT}{{11}}",
    Personal.PHONE: rf"{_DIGIT}[{_DIGIT}{_SPACE}./()\-]{{5,}}{_DIGIT}",
    Personal.NAME: _name_pattern(),
}  # fmt: skip
"""What every text with this kind of personal data contains, for RE2."""
