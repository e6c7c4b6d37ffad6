"""People that only a pronoun names."""

from collections.abc import Iterator

from biasloop.plugins.language.mentions import Mention
from biasloop.plugins.language.sentence import NOUNS, Sentence

PRONOUN_CLASSES = frozenset({"quality", "unknown"})
"""The word classes in which pronouns for everybody or for others are found ("tutti", "altri")."""
_GOES_ON = NOUNS | {"determiner", "quality", "invariable", "number"}
"""Classes of a next word with which a phrase goes on, so that a noun names the people."""


def named_by_pronoun(sentence: Sentence) -> Iterator[Mention]:
    """The people that a pronoun names: "cerchiamo uno che sappia", in both genders if a conjunction
    joins two ("uno o una che"), and "ciascuno", "gli altri", "per tutti"."""
    for i, token in enumerate(sentence.tokens):
        if sentence.kind(i) == "determiner":
            indefinite = token.determiner is not None and token.determiner.entry.indefinite
            if indefinite and sentence.kind(i + 1) == "relatives":
                both = (
                    sentence.kind(i - 1) == "conjunctions" and sentence.kind(i - 2) == "determiner"
                )
                yield Mention(None, [i], sentence.cells(i), both=both)
        elif sentence.kind(i) in PRONOUN_CLASSES and (role := role_of_pronoun(sentence, i)):
            yield Mention(None, [i], sentence.cells(i), role)


def role_of_pronoun(sentence: Sentence, index: int) -> str:
    """The role of the people whom a pronoun for everybody or for others names; "" for any other
    word, and where the phrase goes on ("tutti i sarti")."""
    word, classes = sentence.tokens[index].lower, sentence.language.classes
    before = sentence.kind(index - 1)
    if sentence.kind(index + 1) in _GOES_ON:
        return ""
    if word in classes["pronouns"]:
        return "other"
    if word in classes["pronouns_article"] and before == "determiner":
        return "other"
    if word in classes["pronouns_preposition"] and before == "prepositions":
        return "any"
    return ""
