"""Finds words outside the lexicon that may name or describe a person."""

from collections.abc import Sequence

from biasloop.plugins.language.mentions import Mention
from biasloop.plugins.language.pronouns import PRONOUN_CLASSES, role_of_pronoun
from biasloop.plugins.language.reference import Reference
from biasloop.plugins.language.sentence import NOUNS, VERBAL, Unsure

_BEFORE_A_NOUN = frozenset({"determiner", "prepositions", "number", "thing", "unknown", "have"})
_PREDICATIVE = frozenset({"copulas", "copulas_you", "copulas_infinitive"})
_AFTER_A_PRONOUN = VERBAL | {"clitics", "prepositions", "relatives", "conjunctions", "end"}


class Doubts:
    """Checks the words that belong to no mention. `check` raises Unsure at the first doubt."""

    def __init__(self, reference: Reference, mentions: Sequence[Mention]) -> None:
        self.s = reference.s
        self.reference = reference
        self.people = reference.people
        self.mentions = mentions

    def check(self) -> None:
        """Raises Unsure for a word outside the lexicon that may be a person or describe one."""
        shapes = self.s.language.shapes
        for index, token in enumerate(self.s.tokens):
            kind = self.s.kind(index)
            article = kind == "determiner" and self.s.kind(index + 1) in _AFTER_A_PRONOUN
            if article or (kind in PRONOUN_CLASSES and role_of_pronoun(self.s, index)):
                raise Unsure(f"{token.text!r} is a pronoun here")
            if kind != "unknown":
                continue
            if self._joined_to_person(index):
                raise Unsure(f"{token.text!r} may be a person like the one next to it")
            if self._may_describe(index):
                raise Unsure(f"{token.text!r} may describe a person")
            if shapes["suspicious"].match(token.lower):
                raise Unsure(f"{token.text!r} may be a person")
            if self.s.adjectival(index):
                self._check_adjective(index)
            if shapes["nominal"].match(token.lower) and self._nominal(index):
                raise Unsure(f"{token.text!r} may be a person")

    def _joined_to_person(self, index: int) -> bool:
        """Whether an unknown word is joined to a person by a conjunction."""
        if self.s.surely_noun(index) and self.s.kind(index - 1) == "prepositions":
            return False
        before = index - 1 if self.s.kind(index - 1) != "determiner" else index - 2
        after = index + 2 if self.s.kind(index + 2) != "determiner" else index + 3
        left = self.s.kind(before) == "conjunctions" and self._in_mention(before - 1)
        right = self.s.kind(index + 1) == "conjunctions" and after in self.people
        return left or right

    def _in_mention(self, index: int) -> bool:
        return any(index in mention.words for mention in self.mentions)

    def _may_describe(self, index: int) -> bool:
        """Whether an unknown word may be an adjective of a person: by its ending and its place."""
        token = self.s.tokens[index]
        before = self.s.kind(self.s.skip(index - 1, -1, self.s.transparent))
        if before in _BEFORE_A_NOUN or (index and token.text[0].isupper()):
            return False
        if self.s.language.shapes["substantive"].match(token.lower):
            return False
        cells = self.s.cells(index)
        return before in _PREDICATIVE or any(
            mention.cells & cells and (len(cells) < 3 or mention.cells & cells == {"fp"})
            for mention in self.mentions
        )

    def _check_adjective(self, index: int) -> None:
        before = self.s.skip(index - 1, -1, lambda i: self.reference.skippable(i, index))
        if self.s.kind(before) == "have" or self.s.noun_after(index) is not None:
            return
        bare = self.s.kind(index - 1) == "prepositions"
        if bare and all(cell[1] == "s" for cell in self.s.cells(index)):
            return  # "in possesso": a person in the singular would have an article
        if (
            self.s.kind(before) not in NOUNS
            or self.reference.noun_before(before, index) in self.people
        ):
            raise Unsure(f"{self.s.tokens[index].text!r} may describe a person")

    def _nominal(self, index: int) -> bool:
        after = self.s.kind(index + 1)
        return self.s.kind(index - 1) == "determiner" and after not in NOUNS
