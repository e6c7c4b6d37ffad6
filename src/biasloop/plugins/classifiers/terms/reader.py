"""Terms for the linear model from how the language reader analyses the people in a text.

They say whether people are marked for one gender, paired, or neither. For marked people they also
say which words mark them, what their phrase depends on, and who else is mentioned. From these terms
the model learns which people the ad seeks, and how far to trust the reader.
"""

from collections.abc import Iterator

from biasloop.plugins.language.clauses import read_clauses
from biasloop.plugins.language.data import Language
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.roles import (
    FIRM,
    before_phrase,
    follows_relation,
    roles,
    shows_gender,
    words_of_joined,
)
from biasloop.plugins.language.sentence import Sentence

_SURE = {True: "sure", False: "unsure"}


def reader_terms(text: str, language: Language) -> Iterator[str]:
    """Terms for each person mentioned in a text, and for whether the reader is sure."""
    clauses = read_clauses(text, language)
    all_sure = all(clause.sure for clause in clauses)
    yield f"reader {_SURE[all_sure]}"
    people = [
        (clause, mention, role)
        for clause in clauses
        for mention, role in zip(clause.analysis.mentions, roles(clause.analysis), strict=True)
        if role != FIRM
    ]
    any_marked = False
    for place, (clause, mention, role) in enumerate(people):
        analysis, sure = clause.analysis, _SURE[clause.sure]
        group = "others" if role == "other" else "sought"
        named = "implied" if mention.noun is None else "named"
        signs = [i for i in mention.words if shows_gender(analysis, mention, i, role)]
        marking = "marked" if signs else "paired" if analysis.paired(mention) else "neither"
        yield f"reader {group} {marking}"
        yield f"reader {group} {marking} {sure}"
        yield f"reader {role} {named} {marking} {mention.gender}"
        if signs:
            any_marked = True
            person = f"reader {role} {named}"
            yield f"{person} {'first' if place == 0 else 'later'}"
            yield from (
                f"{person} {circumstance}"
                for circumstance in _circumstances(analysis, mention, signs)
            )
    if not any_marked:
        yield f"reader nobody marked {_SURE[all_sure]}"


def _circumstances(analysis: Analysis, mention: Mention, signs: list[int]) -> Iterator[str]:
    """By what kinds of words (`signs`) a mention is marked for one gender, and in what context."""
    sentence = analysis.sentence
    kinds = " ".join(sorted({_kind_of_sign(sentence, index) for index in signs}))
    before = _context(analysis, mention)
    yield f"by {kinds}"
    yield f"after {before}"
    yield f"by {kinds} after {before}"
    yield f"{mention.number} after {before}"
    if follows_relation(sentence, min(mention.words)):
        yield "beside another"
    open_to = sentence.language.classes["open_to"]
    if any(token.lower in open_to for token in sentence.tokens):
        yield "beside whoever"
    if mention.noun is not None and (head := sentence.head_of(mention.noun)) is not None:
        yield f"of {sentence.tokens[head].lower}"


def _kind_of_sign(sentence: Sentence, index: int) -> str:
    if sentence.tokens[index].lower in sentence.language.classes["possessive"]:
        return "possessive"
    reading = sentence.reading(index)
    role = reading.entry.role if reading and reading.entry.kind == "quality" else ""
    return f"{sentence.kind(index)} {role}"


def _context(analysis: Analysis, mention: Mention) -> str:
    """What the phrase of a mention depends on: a preposition, a verb, a noun, or nothing."""
    sentence = analysis.sentence
    first = min(mention.words)
    article = sentence.tokens[first].determiner if sentence.kind(first) == "determiner" else None
    if article is not None and article.entry.role == "preposition":
        return article.entry.forms["ms"]
    place = before_phrase(sentence, first)
    if place < 0:
        return "^"
    token, kind = sentence.tokens[place], sentence.kind(place)
    seeking = sentence.language.classes["seeking"]
    after_noun = (
        place > 0 and kind == "prepositions" and sentence.tokens[place - 1].lower in seeking
    )
    joined = kind == "conjunctions" and not seeking.isdisjoint(words_of_joined(sentence, place))
    if after_noun or joined or token.lower in seeking:  # "alla ricerca di un", "cerca talenti e un"
        return "seeking"
    return token.lower if kind in ("prepositions", "conjunctions", "mark") else kind
