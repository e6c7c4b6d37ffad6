"""Who in a text is somebody other than the person sought, and which words show the gender."""

from collections.abc import Iterator

from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.sentence import NOUNS, Sentence

MAX_JOINED = 5
"""How many words before a conjunction may belong to what it joins."""
FIRM = "firm"
"""The role of a noun for people that a firm uses of itself ("Rossi Spa è il primo produttore")."""


def roles(analysis: Analysis) -> list[str]:
    """The role of each mention in order: "sought", "other", "any" (unknown) or FIRM. What makes
    somebody "other" is the noun, the words around it, or that "and" joins it to such a person."""
    assigned: list[str] = []
    for place, mention in enumerate(analysis.mentions):
        role = mention.role
        if _is_firm(analysis.sentence, mention):
            role = FIRM
        elif role == "any":
            joined = bool(assigned) and assigned[-1] == "other" and _joined(analysis, place)
            role = "other" if joined or _among_others(analysis.sentence, mention) else role
        assigned.append(role)
    return assigned


def shows_gender(analysis: Analysis, mention: Mention, index: int, role: str) -> bool:
    """Whether this word of the mention shows one gender only. Of people other than the one sought
    whose noun has one form for both genders, articles, possessives and words of quantity show none
    ("i nostri clienti", "vari clienti"), nor do adjectives of a client that is a firm ("per noto
    cliente")."""
    sentence, classes = analysis.sentence, analysis.sentence.language.classes
    if not analysis.marked(mention, index):
        return False
    reading = sentence.reading(mention.noun) if mention.noun is not None else None
    if role != "other" or mention.noun is None or reading is None:
        return True
    if not reading.entry.epicene(mention.number):
        return True
    word, before = sentence.tokens[index].lower, min(mention.words) - 1
    return not (
        sentence.kind(index) == "determiner"
        or word in classes["possessive"]
        or (word in classes["quantity"] and index < mention.noun)
        or (before >= 0 and sentence.tokens[before].lower in classes["on_behalf"])
    )


def before_phrase(sentence: Sentence, first: int) -> int:
    """The position before the phrase that begins at word `first`, and before adverbs and numbers
    that belong to it ("con oltre 200 sarti")."""
    about = sentence.language.classes["about"]

    def belongs(i: int) -> bool:
        abbreviated = sentence.tokens[i].text in ".°" and sentence.kind(i + 1) == "number"
        return (
            _is_plain_adverb(sentence, i)
            or sentence.kind(i) == "number"
            or sentence.tokens[i].lower in about
            or abbreviated
        )

    return sentence.skip(first - 1, -1, belongs)


def follows_relation(sentence: Sentence, first: int) -> bool:
    """Whether the phrase that begins at word `first` follows a word that introduces another person
    ("affiancato da un", "riporta direttamente al")."""
    place = first - 2 if sentence.kind(first - 1) == "prepositions" else first - 1
    place = sentence.skip(
        place, -1, lambda i: _is_plain_adverb(sentence, i) and not _is_relation(sentence, i)
    )
    return place >= 0 and _is_relation(sentence, place)


def words_of_joined(sentence: Sentence, conjunction: int) -> Iterator[str]:
    """The words before a conjunction that belong to what it joins, last first, back to a mark."""
    for i in range(conjunction - 1, max(conjunction - MAX_JOINED, 0) - 1, -1):
        if sentence.kind(i) == "mark":
            return
        yield sentence.tokens[i].lower


def _is_plain_adverb(sentence: Sentence, index: int) -> bool:
    """Whether the word is an adverb and cannot be a verb as well."""
    verbs = sentence.language.classes["verbs"]
    return sentence.kind(index) == "adverbs" and sentence.tokens[index].lower not in verbs


def _is_relation(sentence: Sentence, index: int) -> bool:
    word = sentence.tokens[index].lower.partition("/")[0]
    return word in sentence.language.classes["beside_another"]


def _is_firm(sentence: Sentence, mention: Mention) -> bool:
    """Whether a firm uses the noun of itself: after its name and "is", after "we are", or after
    "as" where the authors speak ("in qualità di esperti, forniamo")."""
    if mention.noun is None:
        return False
    first = min(mention.words)
    before = sentence.skip(first - 1, -1, sentence.transparent)
    if sentence.kind(before) == "copulas_us":
        return True
    if sentence.kind(before) == "copulas":
        name = sentence.skip(before - 1, -1, sentence.transparent)
        named = sentence.kind(name) == "unknown" and sentence.tokens[name].text[0].isupper()
        return named or (
            name >= 0 and sentence.tokens[name].lower in sentence.language.classes["firms"]
        )
    head = sentence.head_of(mention.noun)
    shape = sentence.language.shapes["speakers"]
    return (
        head is not None
        and sentence.tokens[head].lower in sentence.language.classes["as_whom"]
        and any(shape.match(token.lower) for token in sentence.tokens)
    )


def _among_others(sentence: Sentence, mention: Mention) -> bool:
    """Whether the words around a person show somebody else: "con", "team di", "i nostri", "ti"."""
    classes, first = sentence.language.classes, min(mention.words)
    before = before_phrase(sentence, first)
    return (
        (before >= 0 and sentence.tokens[before].lower in classes["company"])
        or follows_relation(sentence, first)
        or _joined_to_another(sentence, before)
        or _in_group(sentence, mention)
        or _acts_on_you(sentence, max(mention.words))
        or _belongs_to_somebody(sentence, mention)
    )


def _joined_to_another(sentence: Sentence, conjunction: int) -> bool:
    """Whether the word before a person is a conjunction that joins the person to somebody or
    something else ("con la direzione e i sarti")."""
    if sentence.kind(conjunction) != "conjunctions":
        return False
    others = sentence.language.classes["company"] | sentence.language.classes["beside_another"]
    return any(word in others for word in words_of_joined(sentence, conjunction))


def _acts_on_you(sentence: Sentence, last: int) -> bool:
    """Whether the person whose phrase ends at word `last` acts on the reader ("un sarto (che) ti
    guiderà")."""
    verb = last + 2 if sentence.kind(last + 1) == "relatives" else last + 1
    you = sentence.language.classes["you"]
    return verb < len(sentence) and sentence.tokens[verb].lower in you


def _in_group(sentence: Sentence, mention: Mention) -> bool:
    """Whether the person is one of a group, which may have an adjective ("team numeroso di")."""
    head = sentence.head_of(mention.noun) if mention.noun is not None else None
    if head is None:
        return False
    heads = [head, head - 1] if sentence.kind(head - 1) in NOUNS else [head]
    return any(sentence.tokens[i].lower in sentence.language.classes["groups"] for i in heads)


def _belongs_to_somebody(sentence: Sentence, mention: Mention) -> bool:
    """Whether a possessive shows that the person is there already ("i nostri sarti"); not after a
    verb that seeks, nor with a word for somebody who is to come ("il nostro futuro sarto")."""
    classes = sentence.language.classes
    words = [sentence.tokens[i].lower for i in mention.words]
    first = min(mention.words)
    sought = any(token.lower in classes["seeking"] for token in sentence.tokens[:first])
    you = any(sentence.kind(i) == "copulas_you" for i in range(first))
    coming = not classes["to_come"].isdisjoint(words)
    return not classes["owned"].isdisjoint(words) and not (sought or you or coming)


def _joined(analysis: Analysis, place: int) -> bool:
    """Whether a conjunction or comma joins the mention at `place` to the one before it."""
    sentence = analysis.sentence
    before, here = (analysis.mentions[i] for i in (place - 1, place))
    between = range(max(before.words) + 1, min(here.words))
    return 0 < len(between) <= 3 and all(
        sentence.kind(i) in ("conjunctions", "prepositions", "invariable")
        or sentence.tokens[i].text == ","
        for i in between
    )
