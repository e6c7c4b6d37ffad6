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

    Only where the rest of the sentence fits the other occupation too.
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
    for other in _replacements(analysis, present):
        if not _same_pattern(present, other):
            continue
        version = _swap(text, analysis, mention, inflect.match_case(token.text, other.forms[cell]))
        if version is not None:
            yield Draft(version, tuple(labels), f"occupation@{token.start}")


def _cell(analysis: Analysis, mention: Mention) -> str | None:
    if mention.noun is None or not mention.number or analysis.paired(mention):
        return None
    return (mention.gender or "m") + mention.number


def _same_pattern(first: Entry, second: Entry) -> bool:
    return all(first.epicene(number) == second.epicene(number) for number in "sp")


def _replacements(analysis: Analysis, present: Entry) -> list[Entry]:
    """The other occupations that the rest of the sentence suits.

    A common occupation can replace another when no word belongs to a trade; otherwise only one of
    the same trade can, if all words suit that trade. Names suit everybody.
    """
    language = analysis.sentence.language
    specific = _specific_words(analysis)
    groups = [trade.occupations for trade in language.trades if specific <= trade.words]
    if not specific:
        groups.append(language.common)
    fitting = [entry for group in groups if present in group for entry in group]
    return [entry for i, entry in enumerate(fitting) if entry not in (present, *fitting[:i])]


def _specific_words(analysis: Analysis) -> set[str]:
    """The words of the sentence that do not fit every occupation."""
    sentence = analysis.sentence
    language = sentence.language
    in_mentions = {index for mention in analysis.mentions for index in mention.words}
    words = {
        token.lower
        for index, token in enumerate(sentence.tokens)
        if index not in in_mentions
        and sentence.kind(index) in _CONTENT
        and not (index > 0 and sentence.kind(index) == "unknown" and token.text.istitle())
        and not (token.quality and token.quality.entry.role == "person")
    }
    classes = language.classes
    return words - classes["general"] - classes["verbs"] - classes["seeking"]


def _swap(text: str, analysis: Analysis, mention: Mention, new: str) -> str | None:
    """The text with `new` for the noun, and a matching article; None if no article fits."""
    tokens, language = analysis.sentence.tokens, analysis.sentence.language
    place = mention.noun or 0
    start, end = tokens[place].start, tokens[place].end
    article = tokens[place - 1].determiner if place - 1 in mention.words else None
    if article is None:
        return text[:start] + new + text[end:]
    before = tokens[place - 1]
    cell = (mention.gender or "m") + mention.number
    new_article = inflect.determiner(article.entry, cell, new, language)
    if new_article is None or (not mention.gender and new_article != before.lower):
        return None
    gap = "" if new_article.endswith("'") else " "
    return (
        text[: before.start] + inflect.match_case(before.text, new_article) + gap + new + text[end:]
    )
