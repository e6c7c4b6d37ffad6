"""The same sentence about another occupation of the same gender and number."""

from collections.abc import Iterator, Sequence

from biasloop.plugins.expanders import inflect
from biasloop.plugins.expanders.draft import Draft
from biasloop.plugins.language.analysis import analyse
from biasloop.plugins.language.data import Entry, Language
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.sentence import Unsure

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
    if present is None or token.paired:
        return
    for other in _fitting(analysis, present):
        if not _alike(present, other):
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


def _fitting(analysis: Analysis, present: Entry) -> list[Entry]:
    """The other occupations that the rest of the sentence suits.

    Any common one for another when nothing in it is of a trade; else those of the trades that
    `present` belongs to and that all its words suit. Names suit everybody.
    """
    language = analysis.sentence.language
    specific = _specific(analysis)
    groups = [trade.occupations for trade in language.trades if specific <= trade.words]
    if not specific:
        groups.append(language.common)
    fitting = [entry for group in groups if present in group for entry in group]
    return [entry for i, entry in enumerate(fitting) if entry not in (present, *fitting[:i])]


def _specific(analysis: Analysis) -> set[str]:
    """The words of the sentence that do not fit every occupation."""
    sentence = analysis.sentence
    language = sentence.language
    mine = {index for mention in analysis.mentions for index in mention.words}
    words = {
        token.lower
        for index, token in enumerate(sentence.tokens)
        if index not in mine
        and sentence.kind(index) in _CONTENT
        and not (index > 0 and sentence.kind(index) == "unknown" and token.text.istitle())
        and not (token.quality and token.quality.entry.role == "person")
    }
    known = language.classes
    return words - known["general"] - known["verbs"] - known["seeking"]


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
