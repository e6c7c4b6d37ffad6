"""A reader that guesses who is named in a sentence: good enough to learn from, not to rewrite.

Where the cautious reader in `analysis.py` raises Unsure, this one guesses what an unknown word is,
by its shape and position, and whom an ambiguous word describes.
"""

import re
from collections.abc import Sequence

from biasloop.domain.text import normalise
from biasloop.plugins.language.analysis import Reader
from biasloop.plugins.language.data import CELLS, Entry, Language, Reading
from biasloop.plugins.language.implied import GuessingReference
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.pronouns import named_by_pronoun
from biasloop.plugins.language.sentence import NOUNS, Sentence, Unsure
from biasloop.plugins.language.tokens import Token, tokenise

_BEFORE_A_SUBJECT = NOUNS | {"end", "mark", "quality", "invariable", "particles", "number"}
_PREDICATIVE = frozenset({"copulas", "copulas_you", "copulas_infinitive"})
_BETWEEN = frozenset({"conjunctions", "determiner", "quality", "invariable", "adverbs"})
_ANY = frozenset(CELLS)
_WORD = re.compile(r"\w+")
_STEM = 4
"""Two forms of one word share at least this many letters at the start."""
_MARKER_REACH = 4
"""How many words after a person a sign of both genders may follow ("m/f")."""


def glance(text: str, language: Language) -> Analysis:
    """The people in a sentence; words that agree with nobody are ignored."""
    sentence = _GuessedSentence(tokenise(text, language), language)
    reader = _GuessingReader(sentence)
    mentions = reader.ordered(_merged(sentence, reader.mentions()))
    _pair_across(sentence, mentions)
    normal = normalise(text)
    for sign in language.shapes["both"].finditer(normal.text):
        _pair_before(sentence, mentions, normal.original_span(*sign.span())[0])
    return Analysis(sentence, (*mentions, *named_by_pronoun(sentence), *_cut_off(sentence)))


class _GuessedSentence(Sentence):
    """A sentence in which unknown words that look like people or adjectives count as such."""

    def __init__(self, tokens: Sequence[Token], language: Language) -> None:
        self.guesses: dict[int, Reading] = {}
        super().__init__(tokens, language)
        for index in range(len(tokens)):
            if self.kind(index) == "unknown" and (guess := self._guess(index)):
                self.guesses[index] = guess
                self.classes[index] = guess.entry.kind

    def reading(self, index: int) -> Reading | None:
        """See Sentence; the guess for an unknown word, if there is one."""
        return self.guesses.get(index) or super().reading(index)

    def refused(self, index: int) -> bool:
        """See Sentence; no word is refused here."""
        return False

    def person_or_thing(self, index: int) -> str:
        """A person right after a verb ("serve un grafico", "sei un grafico") or before a verb of
        work ("il grafico cura"), or in a role ("come grafico"); else a thing. After an adjective
        ("un nuovo grafico") only a verb that seeks people, or speaks to one, or an adjective of
        people ("una brava tecnica") shows a person."""
        first = self.skip(
            index - 1, -1, lambda i: self.kind(i) == "quality" and self.agree(i, index)
        )
        described = range(first + 1, index)
        if self.title_or_described(index) or any(map(self._only_of_people, described)):
            return "person"
        article = self.plain_article(first)
        before = first - 1 if article else first
        classes = self.language.classes
        cues = classes["seeking"] | classes["copulas_you"]
        if not described:
            cues |= classes["verbs"] | classes["as"]
        if before >= 0 and self.tokens[before].lower in cues:
            return "person"
        works = article and self.kind(before) in _BEFORE_A_SUBJECT and self._works(index)
        return "person" if works else "thing"

    def _only_of_people(self, index: int) -> bool:
        """Whether the word is an adjective that describes only people."""
        quality = self.tokens[index].quality
        return quality is not None and quality.entry.role == "person"

    def _works(self, noun: int) -> bool:
        """Whether the first verb after a noun says what people do at work."""
        duties = self.language.classes["duties"]
        verbs = self.language.classes["verbs"] | duties
        verb = noun + 1
        while not self.ends_clause(verb) and (
            self.tokens[verb].lower not in verbs
            or self.kind(verb - 1) in ("prepositions", "determiner")  # "la tecnica di guida"
        ):
            verb += 1
        return verb < len(self) and self.tokens[verb].lower in duties

    def _guess(self, index: int) -> Reading | None:
        """What an unknown word may be, by its shape and, for an adjective, by its position."""
        token, shapes = self.tokens[index], self.language.shapes
        word = _WORD.match(token.lower)
        stem = word.group() if word and token.paired else token.lower
        if shapes["foreign_agents"].match(token.lower):
            return Reading(Entry("person", dict.fromkeys(CELLS, token.lower), "any"), _ANY)
        cells = _ANY if token.paired else self.language.guess(stem)
        forms = dict.fromkeys(cells, stem)
        if shapes["agents"].match(stem):
            return Reading(Entry("person", forms, "any"), cells)
        may_be_name = index > 0 and token.text[0].isupper()
        if not may_be_name and shapes["adjectival"].match(stem) and self._predicative(index):
            return Reading(Entry("quality", forms, "either"), cells)
        return None

    def _predicative(self, index: int) -> bool:
        """Whether the position is that of an adjective: after "to be", or joined to another one."""
        joined = self.kind(index - 1) == "conjunctions" or (
            self.kind(index - 1) == "mark" and self.tokens[index - 1].text == ","
        )
        before = self.skip(index - 1, -1, self.transparent)
        return (joined and self.kind(index - 2) == "quality") or self.kind(before) in _PREDICATIVE


class _GuessingReader(Reader):
    """Skips words that do not fit instead of raising Unsure."""

    reference_kind = GuessingReference

    def is_person(self, index: int) -> bool:
        """See Reader; false for what is more likely a verb or an adjective."""
        return (
            super().is_person(index)
            and not self.may_be_verb(index)
            and not self.may_be_adjective(index)
            and not self._is_in_name(index)
        )

    def _is_in_name(self, noun: int) -> bool:
        """Whether the noun belongs to the name of a certificate, a course or the like
        ("certificazione Scrum Master", "diploma di perito informatico")."""
        before = self.s.title_start(noun) - 1
        if self.s.kind(before) == "person":
            return not super().is_person(before) and self.s.agree(before, noun)
        return before >= 0 and self.s.tokens[before].lower in self.s.language.classes["names"]

    def add_determiner(self, mention: Mention, noun: int) -> None:
        """See Reader."""
        try:
            super().add_determiner(mention, noun)
        except Unsure:
            return

    def assign(self, index: int) -> None:
        """See Reader."""
        try:
            super().assign(index)
        except Unsure:
            return


def _merged(sentence: Sentence, mentions: list[Mention]) -> list[Mention]:
    """One mention for two that name both genders of one word ("la cuoca o il cuoco")."""
    merged: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: -1 if m.noun is None else m.noun):
        last = merged[-1] if merged else None
        if last is not None and _same_person(sentence, last, mention):
            last.words += mention.words
            last.cells = frozenset(g + last.number for g in "mf")
            last.both = True
        else:
            merged.append(mention)
    return merged


def _same_person(sentence: Sentence, first: Mention, second: Mention) -> bool:
    if first.noun is None or second.noun is None or {first.gender, second.gender} != {"m", "f"}:
        return False
    one, other = sentence.tokens[first.noun].lower, sentence.tokens[second.noun].lower
    between = range(first.noun + 1, second.noun)
    return (
        first.number == second.number != ""
        and one[:_STEM] == other[:_STEM]
        and any(_joins(sentence, i) for i in between)
        and all(sentence.kind(i) in _BETWEEN or _joins(sentence, i) for i in between)
    )


def _joins(sentence: Sentence, index: int) -> bool:
    """Whether this word can join two forms of a word ("la cuoca e il cuoco", "/")."""
    return sentence.kind(index) == "conjunctions" or sentence.tokens[index].text == "/"


def _pair_across(sentence: Sentence, mentions: list[Mention]) -> None:
    """Marks people whom words around a conjunction name in both genders, whatever their class."""
    for i in range(1, len(sentence) - 1):
        second = _second_form(sentence, i) if sentence.kind(i) == "conjunctions" else None
        for mention in mentions:
            if second is not None and not {i - 1, second}.isdisjoint(mention.words):
                mention.both = True


def _second_form(sentence: Sentence, conjunction: int) -> int | None:
    """The position where the word before a conjunction is repeated in the other gender, after
    articles and adjectives ("il prossimo o la nostra prossima")."""
    place = conjunction + 1
    while sentence.kind(place) in ("determiner", "quality", "person", "thing", "unknown"):
        if _other_gender(sentence, conjunction - 1, place):
            return place
        if sentence.kind(place) not in ("determiner", "quality"):
            return None
        place += 1
    return None


def _other_gender(sentence: Sentence, first: int, second: int) -> bool:
    """Whether two words are forms of one word, of one number and different genders."""
    one, other = (sentence.tokens[place].lower for place in (first, second))
    numbers = [{cell[1] for cell in sentence.cells(place)} for place in (first, second)]
    return (
        one[:_STEM] == other[:_STEM]
        and not sentence.agree(first, second)
        and numbers[0] == numbers[1]
    )


def _pair_before(sentence: Sentence, mentions: list[Mention], place: int) -> None:
    """Marks the last person before the sign at character `place` as named in both genders."""
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
    """The person described by the last words of a text that a line break cut ("ricerca un nuovo").
    An article alone names nobody."""
    last = len(sentence) - 1
    article = sentence.tokens[last - 1].determiner if sentence.kind(last) == "quality" else None
    if sentence.kind(last - 1) != "determiner" or article is None or not article.entry.indefinite:
        return []
    seeking = sentence.language.classes["seeking"]
    if not any(token.lower in seeking for token in sentence.tokens):
        return []
    return [Mention(None, [last - 1, last], article.cells & sentence.cells(last))]
