"""Terms for the linear model from how the language reader analyses the people in a text.

They say whether people are marked for one gender, paired, or neither. For marked people they also
say which words mark them, what their phrase depends on, and who else is mentioned. From these terms
the model learns which people the ad seeks, and how far to trust the reader.
"""

from collections.abc import Iterator

from biasloop.plugins.language.analysis import analyse
from biasloop.plugins.language.data import Language
from biasloop.plugins.language.glance import glance
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.sentence import Sentence, Unsure


def reader_terms(text: str, language: Language) -> Iterator[str]:
    """Terms for each person mentioned in a text, and for whether the reader is sure."""
    try:
        analysis, sure = analyse(text, language), "sure"
    except Unsure:
        analysis, sure = glance(text, language), "unsure"
    yield f"reader {sure}"
    any_marked = False
    for place, mention in enumerate(analysis.mentions):
        group = "others" if mention.role == "other" else "sought"
        named = "implied" if mention.noun is None else "named"
        marking = _marking(analysis, mention)
        yield f"reader {group} {marking}"
        yield f"reader {group} {marking} {sure}"
        yield f"reader {mention.role} {named} {marking} {mention.gender}"
        if marking == "marked":
            any_marked = True
            role = f"reader {mention.role} {named}"
            yield f"{role} {'first' if place == 0 else 'later'}"
            yield from (
                f"{role} {circumstance}" for circumstance in _circumstances(analysis, mention)
            )
    if not any_marked:
        yield f"reader nobody marked {sure}"


def _circumstances(analysis: Analysis, mention: Mention) -> Iterator[str]:
    """How a mention is marked for one gender, and in what circumstances."""
    sentence = analysis.sentence
    signs, before = _gender_signs(analysis, mention), _context(analysis, mention)
    yield f"by {signs}"
    yield f"after {before}"
    yield f"by {signs} after {before}"
    yield f"{mention.number} after {before}"
    if _depends_on_relation(sentence, min(mention.words)):
        yield "beside another"
    open_to = sentence.language.classes["open_to"]
    if any(token.lower in open_to for token in sentence.tokens):
        yield "beside whoever"
    if mention.noun is not None and (head := sentence.head_of(mention.noun)) is not None:
        yield f"of {sentence.tokens[head].lower}"


def _marking(analysis: Analysis, mention: Mention) -> str:
    if any(analysis.marked(mention, index) for index in mention.words):
        return "marked"
    return "paired" if analysis.paired(mention) else "neither"


def _gender_signs(analysis: Analysis, mention: Mention) -> str:
    """The kinds of the words that mark a mention."""
    sentence = analysis.sentence
    kinds = {_kind_of_sign(sentence, i) for i in mention.words if analysis.marked(mention, i)}
    return " ".join(sorted(kinds))


def _kind_of_sign(sentence: Sentence, index: int) -> str:
    if sentence.tokens[index].lower in sentence.language.classes["possessive"]:
        return "possessive"
    reading = sentence.reading(index)
    role = reading.entry.role if reading and reading.entry.kind == "quality" else ""
    return f"{sentence.kind(index)} {role}"


def _depends_on_relation(sentence: Sentence, first: int) -> bool:
    """Whether the phrase that begins at word `first` follows a word that introduces a person other
    than the one sought ("affiancato da un", "riporta direttamente al")."""
    place = first - 2 if sentence.kind(first - 1) == "prepositions" else first - 1
    place = sentence.skip(place, -1, lambda i: _is_plain_adverb(sentence, i))
    word = sentence.tokens[place].lower.partition("/")[0] if place >= 0 else ""
    return word in sentence.language.classes["beside_another"]


def _is_plain_adverb(sentence: Sentence, index: int) -> bool:
    verbs = sentence.language.classes["verbs"]
    return sentence.kind(index) == "adverbs" and sentence.tokens[index].lower not in verbs


def _context(analysis: Analysis, mention: Mention) -> str:
    """What the phrase of a mention depends on: a preposition, a verb, a noun, or nothing."""
    sentence = analysis.sentence
    first = min(mention.words)
    article = sentence.tokens[first].determiner if sentence.kind(first) == "determiner" else None
    if article is not None and article.entry.role == "preposition":
        return article.entry.forms["ms"]
    if first == 0:
        return "^"
    place = sentence.skip(first - 1, -1, lambda i: _is_plain_adverb(sentence, i))
    if place < 0:
        return "^"
    token, kind = sentence.tokens[place], sentence.kind(place)
    if token.lower in sentence.language.classes["seeking"]:
        return "seeking"
    return token.lower if kind in ("prepositions", "conjunctions", "mark") else kind
