"""Versions of a sentence that differ in the gender of the people it names."""

from collections.abc import Iterator, Sequence

from biasloop.plugins.expanders.draft import Draft
from biasloop.plugins.expanders.labels import LabelNames
from biasloop.plugins.expanders.writer import FORMS, GENDERED, OPEN, write
from biasloop.plugins.language.analysis import analyse
from biasloop.plugins.language.data import Language
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.sentence import Unsure


def gender_versions(
    text: str, labels: Sequence[str], language: Language, names: LabelNames
) -> Iterator[Draft]:
    """All versions of a labelled sentence that the language allows.

    None when it is unclear who the people in the sentence are, or when they contradict the
    labels.
    """
    try:
        analysis = analyse(text, language)
        people = _people(analysis, labels, names)
    except Unsure:
        return
    genders = {m.gender for m in people}
    for form in FORMS:
        if genders == {GENDERED.get(form, "paired" if form in FORMS[2:] else "")}:
            continue
        if genders == {""} and form not in GENDERED:
            continue
        try:
            version, place = write(text, analysis, people, form, names.sought in labels)
        except Unsure:
            continue
        if version != text:
            new_labels = _labels_after(form, labels, people, names)
            variant = f"open:{form}" if form in OPEN else form
            yield Draft(version, new_labels, f"gender:{variant}@{place}")


def _labels_after(
    form: str, labels: Sequence[str], people: Sequence[Mention], names: LabelNames
) -> tuple[str, ...]:
    if form not in GENDERED:
        return names.without(labels, names.sought, names.others)
    if names.sought in labels or names.others in labels:
        return tuple(labels)
    roles = {names.others if m.role == "other" else names.sought for m in people}
    return names.plus(labels, *roles)


def _people(analysis: Analysis, labels: Sequence[str], names: LabelNames) -> list[Mention]:
    """The mentions to rewrite. Raises Unsure when they contradict the labels."""
    sought, others = names.sought in labels, names.others in labels
    gendered = [m for m in analysis.mentions if _gendered(analysis, m)]
    article_only = [
        m for m in analysis.mentions if m.role == "any" and _only_determiner(analysis, m)
    ]
    roles = {m.role for m in gendered}
    if not (sought or others):
        if [m for m in gendered if m not in article_only]:
            raise Unsure("a gendered person, but no label for it")
        return _paired_people(analysis, article_only)
    after_preposition = any(
        analysis.sentence.kind(min(m.words) - 1) == "prepositions" for m in article_only
    )
    if article_only and (others or len(gendered) > 1 or after_preposition):
        raise Unsure("the article may belong to another person")
    if not gendered or (not others and "other" in roles) or (not sought and "sought" in roles):
        raise Unsure("the people contradict the labels")
    if sought and others and len(gendered) < 2:
        raise Unsure("labels for two people, but only one person")
    return [
        *gendered,
        *(m for m in analysis.mentions if m not in gendered and _is_paired(analysis, m)),
    ]


def _paired_people(analysis: Analysis, article_only: Sequence[Mention]) -> list[Mention]:
    people = [m for m in analysis.mentions if _is_paired(analysis, m)]
    if not people or article_only:
        raise Unsure("nobody to rewrite")
    if any(m.role == "any" and not _is_sought(analysis, m) for m in people):
        raise Unsure("the person may not be the one sought")
    return people


def _is_paired(analysis: Analysis, mention: Mention) -> bool:
    return not mention.gender and analysis.paired(mention)


def _is_sought(analysis: Analysis, mention: Mention) -> bool:
    """Whether the sentence begins with this person or says that it seeks somebody."""
    cues = analysis.sentence.language.classes["seeking"]
    first = min(mention.words)
    return first == 0 or any(t.lower in cues for t in analysis.sentence.tokens[:first])


def _gendered(analysis: Analysis, mention: Mention) -> bool:
    """Whether the mention names one gender; for other people an article alone does not count."""
    marked = [i for i in mention.words if analysis.marked(mention, i)]
    if mention.gender and not mention.number:
        raise Unsure("one person or several")
    if mention.role == "other":
        return not all(_like_article(analysis, i) for i in marked)
    return bool(marked)


def _like_article(analysis: Analysis, index: int) -> bool:
    sentence = analysis.sentence
    possessive = sentence.language.classes["possessive"]
    return sentence.kind(index) == "determiner" or sentence.tokens[index].lower in possessive


def _only_determiner(analysis: Analysis, mention: Mention) -> bool:
    marked = [i for i in mention.words if analysis.marked(mention, i)]
    return bool(marked) and all(_like_article(analysis, i) for i in marked)
