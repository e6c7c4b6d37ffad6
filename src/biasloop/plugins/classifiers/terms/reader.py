"""What a campaign's reader finds of the people in a text, as terms for the linear model.

Whether they are marked for one gender, paired, or neither; and of those who are marked, by which
words, on what their phrase hangs, and who else is there: from that the model learns who is sought
and who is somebody else, and how far to trust the reader.
"""

from collections.abc import Iterator

from biasloop.plugins.language.analysis import analyse
from biasloop.plugins.language.data import Language
from biasloop.plugins.language.glance import glance
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.sentence import Sentence, Unsure


def reader_terms(text: str, language: Language) -> Iterator[str]:
    """What the reader finds of the people in a text, and whether it is sure."""
    try:
        analysis, sure = analyse(text, language), "sure"
    except Unsure:
        analysis, sure = glance(text, language), "unsure"
    yield f"reader {sure}"
    marked = False
    for place, mention in enumerate(analysis.mentions):
        who = "others" if mention.role == "other" else "sought"
        named = "implied" if mention.noun is None else "named"
        how = _how(analysis, mention)
        yield f"reader {who} {how}"
        yield f"reader {who} {how} {sure}"
        yield f"reader {mention.role} {named} {how} {mention.gender}"
        if how == "marked":
            marked = True
            role = f"reader {mention.role} {named}"
            yield f"{role} {'first' if place == 0 else 'later'}"
            yield from (f"{role} {circumstance}" for circumstance in _marked(analysis, mention))
    if not marked:
        yield f"reader nobody marked {sure}"


def _marked(analysis: Analysis, mention: Mention) -> Iterator[str]:
    """How a mention is marked for one gender, and in what circumstances."""
    sentence = analysis.sentence
    signs, before = _signs(analysis, mention), _before(analysis, mention)
    yield f"by {signs}"
    yield f"after {before}"
    yield f"by {signs} after {before}"
    yield f"{mention.number} after {before}"
    if _beside_another(sentence, min(mention.words)):
        yield "beside another"
    open_to = sentence.language.classes["open_to"]
    if any(token.lower in open_to for token in sentence.tokens):
        yield "beside whoever"
    if mention.noun is not None and (head := sentence.head_of(mention.noun)) is not None:
        yield f"of {sentence.tokens[head].lower}"


def _how(analysis: Analysis, mention: Mention) -> str:
    if any(analysis.marked(mention, index) for index in mention.words):
        return "marked"
    return "paired" if analysis.paired(mention) else "neither"


def _signs(analysis: Analysis, mention: Mention) -> str:
    """The kinds of the words that mark a mention."""
    sentence = analysis.sentence
    kinds = {_sign(sentence, i) for i in mention.words if analysis.marked(mention, i)}
    return " ".join(sorted(kinds))


def _sign(sentence: Sentence, index: int) -> str:
    if sentence.tokens[index].lower in sentence.language.classes["possessive"]:
        return "possessive"
    reading = sentence.reading(index)
    role = reading.entry.role if reading and reading.entry.kind == "quality" else ""
    return f"{sentence.kind(index)} {role}"


def _beside_another(sentence: Sentence, first: int) -> bool:
    """Whether a phrase, by its first word, hangs on a word after which another person stands than
    the one sought ("affiancato da un", "riporta direttamente al")."""
    place = first - 2 if sentence.kind(first - 1) == "prepositions" else first - 1
    place = sentence.skip(place, -1, lambda i: _only_adverb(sentence, i))
    whole = sentence.tokens[place].lower.partition("/")[0] if place >= 0 else ""
    return whole in sentence.language.classes["beside_another"]


def _only_adverb(sentence: Sentence, index: int) -> bool:
    verbs = sentence.language.classes["verbs"]
    return sentence.kind(index) == "adverbs" and sentence.tokens[index].lower not in verbs


def _before(analysis: Analysis, mention: Mention) -> str:
    """What the phrase of a mention hangs on: a preposition, a verb, a noun, nothing."""
    sentence = analysis.sentence
    first = min(mention.words)
    article = sentence.tokens[first].determiner if sentence.kind(first) == "determiner" else None
    if article is not None and article.entry.role == "preposition":
        return article.entry.forms["ms"]
    if first == 0:
        return "^"
    place = sentence.skip(first - 1, -1, lambda i: _only_adverb(sentence, i))
    if place < 0:
        return "^"
    token, kind = sentence.tokens[place], sentence.kind(place)
    if token.lower in sentence.language.classes["seeking"]:
        return "seeking"
    return token.lower if kind in ("prepositions", "conjunctions", "mark") else kind
