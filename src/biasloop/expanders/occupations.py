"""The same sentence about another occupation of the same gender and number."""

from collections.abc import Iterator, Sequence

from biasloop.expanders import inflect
from biasloop.expanders.draft import Draft
from biasloop.language.analysis import analyse
from biasloop.language.data import Entry, Language
from biasloop.language.mentions import Analysis, Mention
from biasloop.language.sentence import Unsure

_CONTENT = frozenset({"thing", "unknown", "quality", "verbs", "person"})


def occupation_versions(text: str, labels: Sequence[str], language: Language) -> Iterator[Draft]:
    """The sentence with its one occupation swapped.

    Only where everything else in it would be said of any occupation, so that it still makes sense.
    """
    try:
        analysis = analyse(text, language)
    except Unsure:
        return
    if len(analysis.mentions) != 1:
        return
    mention = analysis.mentions[0]
    noun, cell = mention.noun, _cell(analysis, mention)
    if noun is None or cell is None:
        return
    token = analysis.sentence.tokens[noun]
    present = token.person.entry if token.person else None
    if present is None or token.paired or not present.sector or not _may_swap(present, language):
        return
    fitting = _fitting(analysis, present)
    for other in language.occupations:
        if other is present or not _alike(present, other) or not _may_swap(other, language):
            continue
        if other.sector not in fitting:
            continue
        made = _swapped(text, analysis, mention, inflect.like(token.text, other.forms[cell]))
        if made is not None:
            yield Draft(made, tuple(labels), f"occupation@{token.start}")


def _cell(analysis: Analysis, mention: Mention) -> str | None:
    if mention.noun is None or not mention.number or analysis.paired(mention):
        return None
    return (mention.gender or "m") + mention.number


def _alike(first: Entry, second: Entry) -> bool:
    return all(first.epicene(number) == second.epicene(number) for number in "sp")


def _may_swap(entry: Entry, language: Language) -> bool:
    return entry.forms["ms"] not in language.classes["incomplete"]


def _fitting(analysis: Analysis, present: Entry) -> frozenset[str]:
    """The sectors that the rest of the sentence suits: all, the present one, or none.

    Every word but the person's must fit any occupation, or any of the sector, or be a name.
    """
    sentence = analysis.sentence
    language = sentence.language
    mine = {index for mention in analysis.mentions for index in mention.words}
    others = {
        token.lower
        for index, token in enumerate(sentence.tokens)
        if index not in mine
        and sentence.kind(index) in _CONTENT
        and not (index > 0 and sentence.kind(index) == "unknown" and token.text.istitle())
        and not (token.quality and token.quality.entry.role == "person")
    }
    others -= language.classes["general"] | language.classes["verbs"] | language.classes["seeking"]
    if not others:
        return frozenset(entry.sector for entry in language.occupations)
    if others <= language.sectors.get(present.sector, frozenset()):
        return frozenset({present.sector})
    return frozenset()


def _swapped(text: str, analysis: Analysis, mention: Mention, new: str) -> str | None:
    """The text with `new` for the noun and its article made to fit; None if none does."""
    tokens, language = analysis.sentence.tokens, analysis.sentence.language
    place = mention.noun or 0
    start, end = tokens[place].start, tokens[place].end
    article = tokens[place - 1].determiner if place - 1 in mention.words else None
    if article is None:
        return text[:start] + new + text[end:]
    before = tokens[place - 1]
    cell = (mention.gender or "m") + mention.number
    made = inflect.determiner(article.entry, cell, new, language)
    if made is None or (not mention.gender and made != before.lower):
        return None
    gap = "" if made.endswith("'") else " "
    return text[: before.start] + inflect.like(before.text, made) + gap + new + text[end:]
