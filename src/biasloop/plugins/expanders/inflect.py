"""Forms of single words: by gender and number, as a slash pair, or with an open ending."""

from biasloop.plugins.language.data import Cell, Entry, Language


def determiner(entry: Entry, cell: Cell, following: str, language: Language) -> str | None:
    """The form before the word `following` ("il", "lo" or "l'" for ms).

    None when the language has no form, or when the onset of `following` leaves it in doubt.
    """
    onset = language.onset_of(following)
    shapes = entry.onsets.get(cell)
    if shapes is None:
        return None
    if onset == "doubtful":
        return next(iter(shapes.values())) if len(set(shapes.values())) == 1 else None
    return shapes.get(onset, shapes.get("other"))


def paired_determiner(entry: Entry, number: str, following: str, language: Language) -> str | None:
    """Both genders' forms ("il/la"), or the one form that they share ("l'")."""
    first, second = (determiner(entry, g + number, following, language) for g in "mf")
    if first is None or second is None:
        return None
    if first == second:
        return first
    if second.endswith("'"):
        second = entry.onsets["f" + number]["other"]
    return f"{first}{language.joining['pair']}{second}"


def open_determiner(
    entry: Entry, number: str, following: str, style: str, language: Language
) -> str | None:
    """The form with an open ending in this style ("l*"); None when the determiner has none."""
    shapes = entry.signs.get(style, {}).get(number)
    if shapes is None:
        return None
    return shapes.get(language.onset_of(following), shapes.get("other"))


def paired(entry: Entry, number: str, language: Language) -> str:
    """ "candidato/a", "programmatore/trice"; the plain form when both genders share it."""
    first, second = entry.forms["m" + number], entry.forms["f" + number]
    if first == second:
        return first
    return f"{first}{language.joining['pair']}{_second_part(first, second, language)}"


def _second_part(first: str, second: str, language: Language) -> str:
    for ending, other, rest in language.pairs:
        if first.endswith(ending) and second.endswith(other):
            return rest
    if second.startswith(first):
        return second.removeprefix(first)
    return second[-1] if first[:-1] == second[:-1] else second


def open_ending(entry: Entry, number: str, style: str, language: Language) -> str:
    """ "candidat*"; the plain form when both genders share it."""
    first, second = entry.forms["m" + number], entry.forms["f" + number]
    if first == second:
        return first
    stem = first if second[:-1] == first else first[:-1]  # operai*, but student*
    return stem + language.open_signs[style]


def match_case(old: str, new: str, uppercase: bool = False) -> str:
    """`new` in the letter case of `old`; `uppercase` decides when `old` is a single capital."""
    letters = [c for c in old if c.isalpha()]
    if letters and all(c.isupper() for c in letters) and (len(letters) > 1 or uppercase):
        return new.upper()
    return new[:1].upper() + new[1:] if letters and letters[0].isupper() else new
