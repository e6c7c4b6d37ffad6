"""Guesses whom a word describes, and whether that is the person sought although no noun names one.

Most adjectives of real ads belong to things and firms. So a person is inferred only where the text
speaks to somebody ("sarai"), after the infinitive of "to be", or where no noun that the word could
belong to stands before it.
"""

from biasloop.plugins.language.reference import IMPLIED, NOBODY, Reference
from biasloop.plugins.language.sentence import NOUNS


class GuessingReference(Reference):
    """Takes the most likely owner instead of raising Unsure."""

    def doubt(self, why: str, guess: int) -> int:
        """See Reference; returns the guess."""
        return guess

    def owner(self, index: int) -> int:
        """See Reference; IMPLIED only where the text shows that the word describes a person."""
        before = self.s.skip(index - 1, -1, lambda i: self.skippable(i, index))
        if self.s.kind(before) == "copulas_you" and not self.s.tokens[index].paired:
            singular = any(cell[1] == "s" for cell in self.s.cells(index))
            return IMPLIED if singular and self._role(index) != "thing" else NOBODY
        owner = super().owner(index)
        if owner != IMPLIED or self._means_a_person(index, before):
            return owner
        return self._nearest_person(index)

    def _means_a_person(self, index: int, before: int) -> bool:
        """Whether the word at `index`, which depends on the word at `before`, describes a person
        although no noun names one."""
        kind = self.s.kind(before)
        pronouns = self.s.language.classes["pronouns"]
        if any(token.lower in pronouns for token in self.s.tokens[:index]):
            return False  # "dove ognuno può sentirsi accolto"
        if self.s.tokens[index].paired or kind == "copulas_infinitive":
            return True
        if kind == "copulas" and self._disagreeing_stand_in(before, index):
            return True
        personal = self._role(index) == "person"
        if kind == "determiner":
            return personal
        if self.is_of_class("only_people", index) and kind not in NOUNS | {"copulas"}:
            return True
        if not personal and not self.is_of_class("traits", index):
            return False
        return not any(
            self.s.kind(i) in NOUNS
            and self.s.agree(i, index)
            and not (kind == "copulas" and self.s.governed(i))
            for i in range(index)
        )

    def _disagreeing_stand_in(self, copula: int, index: int) -> bool:
        """Whether the subject stands for the person sought and is of the other gender ("la risorsa
        sarà guidato")."""
        return self._role(index) != "thing" and any(
            self._stands_in(i) and not self.s.governed(i) and not self.s.agree(i, index)
            for i in range(copula)
        )

    def _nearest_person(self, index: int) -> int:
        """The last person before a word for people that agrees with it; NOBODY if there is none."""
        before = [noun for noun in self.people if noun < index and self.s.agree(noun, index)]
        return max(before) if before and self._role(index) == "person" else NOBODY
