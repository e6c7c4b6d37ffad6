"""Who is named in any sentence, as far as it shows: good enough to learn from, not to rewrite.

Where the cautious reader refuses, this one guesses: what an unknown word is, by its shape and its
place, and whom a word in doubt describes.
"""

import re
from collections.abc import Sequence

from biasloop.language.analysis import Reader
from biasloop.language.data import CELLS, Entry, Language, Reading
from biasloop.language.mentions import Analysis, Mention
from biasloop.language.reference import Reference
from biasloop.language.sentence import Sentence, Unsure
from biasloop.language.tokens import Token, tokenise

_PREDICATIVE = frozenset({"copulas", "copulas_you", "copulas_infinitive"})
_BETWEEN = frozenset({"conjunctions", "determiner", "quality", "invariable", "adverbs"})
_ANY = frozenset(CELLS)
_WORD = re.compile(r"\w+")
_STEM = 4
"""Letters that two forms of one word share at least."""
_MARKER_REACH = 4
"""Words between a person and the sign of both genders that follows."""


def glance(text: str, language: Language) -> Analysis:
    """The people of a sentence; a word that fits nobody belongs to nobody."""
    sentence = _Guessed(tokenise(text, language), language)
    reader = _Glancing(sentence)
    mentions = reader.settled(_merged(sentence, reader.mentions()))
    _pair_across(sentence, mentions)
    for found in language.shapes["both"].finditer(text):
        _pair_before(sentence, mentions, found.start())
    return Analysis(sentence, (*mentions, *_cut_off(sentence)))


class _Guessed(Sentence):
    """A sentence whose unknown words are people or adjectives when they look like it."""

    def __init__(self, tokens: Sequence[Token], language: Language) -> None:
        self.guesses: dict[int, Reading] = {}
        super().__init__(tokens, language)
        for index in range(len(tokens)):
            if self.kind(index) == "unknown" and (guess := self._guess(index)):
                self.guesses[index] = guess
                self.classes[index] = guess.entry.kind

    def reading(self, index: int) -> Reading | None:
        """See Sentence; a guess for a word that looked like something."""
        return self.guesses.get(index) or super().reading(index)

    def refused(self, index: int) -> bool:
        """Nothing is."""
        return False

    def person_or_thing(self, index: int) -> str:
        """A person right after a verb ("serve un grafico"), else a thing."""
        before = index - 1
        article = self.tokens[before].determiner if self.kind(before) == "determiner" else None
        if article is not None and article.entry.role != "preposition":
            before -= 1
        known = self.language.classes
        verb = before >= 0 and self.tokens[before].lower in known["verbs"] | known["seeking"]
        return "person" if verb else "thing"

    def _guess(self, index: int) -> Reading | None:
        """What an unknown word may be, by its shape and, for an adjective, by its place."""
        token, shapes = self.tokens[index], self.language.shapes
        word = _WORD.match(token.lower)
        stem = word.group() if word and token.paired else token.lower
        if shapes["foreign_agents"].match(token.lower):
            return Reading(Entry("person", dict.fromkeys(CELLS, token.lower), "any"), _ANY)
        cells = _ANY if token.paired else self.language.guess(stem)
        forms = dict.fromkeys(cells, stem)
        if shapes["agents"].match(stem):
            return Reading(Entry("person", forms, "any"), cells)
        if shapes["adjectival"].match(stem) and self._predicative(index):
            return Reading(Entry("quality", forms, "either"), cells)
        return None

    def _predicative(self, index: int) -> bool:
        """Whether an adjective stands here: after "to be", or joined to another."""
        joined = self.kind(index - 1) == "conjunctions" or (
            self.kind(index - 1) == "mark" and self.tokens[index - 1].text == ","
        )
        before = self.skip(index - 1, -1, self.transparent)
        return (joined and self.kind(index - 2) == "quality") or self.kind(before) in _PREDICATIVE


class _Guessing(Reference):
    """Takes the likeliest owner."""

    def doubt(self, why: str, guess: int) -> int:
        """The guess."""
        return guess


class _Glancing(Reader):
    """Passes over what does not fit."""

    reference_kind = _Guessing

    def is_person(self, index: int) -> bool:
        """See Reader; not what is more likely a verb or an adjective."""
        return (
            super().is_person(index)
            and not self.may_be_verb(index)
            and not self.may_be_adjective(index)
        )

    def take_determiner(self, mention: Mention, noun: int) -> None:
        """See Reader."""
        try:
            super().take_determiner(mention, noun)
        except Unsure:
            return

    def give(self, index: int) -> None:
        """See Reader."""
        try:
            super().give(index)
        except Unsure:
            return


def _merged(sentence: Sentence, mentions: list[Mention]) -> list[Mention]:
    """One mention for two that name both genders of one word ("la cuoca o il cuoco")."""
    found: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: -1 if m.noun is None else m.noun):
        last = found[-1] if found else None
        if last is not None and _same_person(sentence, last, mention):
            last.words += mention.words
            last.cells = frozenset(g + last.number for g in "mf")
            last.both = True
        else:
            found.append(mention)
    return found


def _same_person(sentence: Sentence, first: Mention, second: Mention) -> bool:
    if first.noun is None or second.noun is None or {first.gender, second.gender} != {"m", "f"}:
        return False
    one, other = sentence.tokens[first.noun].lower, sentence.tokens[second.noun].lower
    between = range(first.noun + 1, second.noun)
    return (
        first.number == second.number != ""
        and one[:_STEM] == other[:_STEM]
        and any(sentence.kind(i) == "conjunctions" for i in between)
        and all(sentence.kind(i) in _BETWEEN for i in between)
    )


def _pair_across(sentence: Sentence, mentions: list[Mention]) -> None:
    """Marks whoever a conjunction names in both genders, whatever the words were taken for."""
    for i in range(1, len(sentence) - 1):
        first, second = i - 1, i + 2 if sentence.kind(i + 1) == "determiner" else i + 1
        if sentence.kind(i) != "conjunctions" or second >= len(sentence):
            continue
        one, other = sentence.tokens[first].lower, sentence.tokens[second].lower
        numbers = [{cell[1] for cell in sentence.cells(place)} for place in (first, second)]
        if (
            one[:_STEM] != other[:_STEM]
            or sentence.agree(first, second)
            or numbers[0] != numbers[1]
        ):
            continue
        for mention in mentions:
            mention.both = mention.both or not {first, second}.isdisjoint(mention.words)


def _pair_before(sentence: Sentence, mentions: list[Mention], place: int) -> None:
    """Marks the person that the sign at `place` of the text stands beside as of both genders."""
    words = [i for i, token in enumerate(sentence.tokens) if token.end <= place]
    here = len(words)
    near = [
        mention
        for mention in mentions
        if mention.noun is not None and 0 < here - mention.noun <= _MARKER_REACH
    ]
    if near:
        near[-1].both = True


def _cut_off(sentence: Sentence) -> list[Mention]:
    """The person whose article is the last word of a text that a line break cut ("ricerca un")."""
    last = len(sentence) - 1
    seeking = sentence.language.classes["seeking"]
    determiner = sentence.tokens[last].determiner if sentence.kind(last) == "determiner" else None
    if determiner is None or not determiner.entry.indefinite:
        return []
    if not any(token.lower in seeking for token in sentence.tokens):
        return []
    return [Mention(None, [last], determiner.cells)]
