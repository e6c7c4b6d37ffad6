"""Who is named in a sentence, and which words agree with them.

The reader is cautious: when it cannot tell what a word that changes with gender refers to, it
raises Unsure, and the sentence is left alone. A bolder one, to learn from, is in `glance.py`.
"""

from biasloop.plugins.language.data import Cell, Language
from biasloop.plugins.language.doubts import Doubts
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.reference import IMPLIED, Reference
from biasloop.plugins.language.sentence import Sentence, Unsure
from biasloop.plugins.language.tokens import tokenise

WORDS_AT_MOST = 45


def analyse(text: str, language: Language) -> Analysis:
    """The people of a sentence. Raises Unsure when a word's reference is in doubt."""
    if found := language.shapes["unread"].search(text):
        raise Unsure(f"{found.group()!r} is more than the reader knows")
    sentence = Sentence(tokenise(text, language), language)
    if sum(token.is_word for token in sentence.tokens) > WORDS_AT_MOST:
        raise Unsure("the sentence is too long to be sure of it")
    reader = Reader(sentence)
    reader.check_people()
    mentions = reader.mentions()
    Doubts(reader.reference, mentions).check()
    return Analysis(sentence, tuple(reader.settled(mentions)))


class Reader:
    """Finds the mentions of a sentence. Raises Unsure when a word's reference is in doubt."""

    reference_kind: type[Reference] = Reference

    def __init__(self, sentence: Sentence) -> None:
        self.s = sentence
        self.people = {i: Mention(i) for i in range(len(sentence)) if self.is_person(i)}
        self.reference = self.reference_kind(sentence, frozenset(self.people))
        self.implied: Mention | None = None
        self.taken: set[int] = set()

    def is_person(self, index: int) -> bool:
        """Whether the word is a person's noun that stands for a person."""
        return self.s.kind(index) == "person" and not self._names(index)

    def mentions(self) -> list[Mention]:
        """All people, with the words that agree with them."""
        for noun, mention in self.people.items():
            reading = self.s.reading(noun)
            mention.role = reading.entry.role if reading else "any"
            self.join(mention, noun)
            self.take_determiner(mention, noun)
        for index in range(len(self.s)):
            if self.s.kind(index) == "quality" and index not in self.taken:
                self.give(index)
        return [*self.people.values(), *([self.implied] if self.implied else [])]

    def settled(self, mentions: list[Mention]) -> list[Mention]:
        """The mentions in their order, with the likelier of two cells that share a form."""
        for mention in mentions:
            if mention.noun is not None:
                mention.cells = self._likelier(mention.noun, mention.cells)
        return sorted(mentions, key=lambda mention: min(mention.words))

    def check_people(self) -> None:
        """Refuses a person's word that a thing's word precedes, and one said in both genders."""
        for noun in self.people:
            word = self.s.tokens[noun].lower
            if self.may_be_verb(noun):
                raise Unsure(f"{word!r} may be a verb")
            if self.may_be_adjective(noun) or self.goes_on(noun):
                raise Unsure(f"{self.s.tokens[noun].text!r} may describe a thing")
        entries = [id(reading.entry) for noun in self.people if (reading := self.s.reading(noun))]
        if len(set(entries)) < len(entries):
            raise Unsure("the same person twice")

    def may_be_verb(self, noun: int) -> bool:
        """Whether a person's word begins a clause and could be a verb there."""
        begins = self.s.kind(noun - 1) in ("end", "mark", "conjunctions", "particles")
        return begins and self.s.tokens[noun].lower in self.s.language.classes["imperative"]

    def may_be_adjective(self, noun: int) -> bool:
        """Whether a person's word follows a thing that it agrees with; not an aide ("aiuto X")."""
        if noun and self.s.tokens[noun - 1].lower in self.s.language.classes["aides"]:
            return False
        fixed = len(set(self.forms(noun))) == 1
        return self.s.kind(noun - 1) == "thing" and self.s.agree(noun - 1, noun) and not fixed

    def goes_on(self, noun: int) -> bool:
        """Whether a person's word may go on from an adjective, of anything before a slash
        ("perito meccanico/elettrotecnico"), else of a thing ("indirizzo tecnico o meccanico")."""
        if self.s.kind(noun - 2) != "quality" or not self.s.agree(noun - 2, noun):
            return False
        if self.s.tokens[noun - 1].text == "/":
            return True
        of_thing = self.s.kind(noun - 3) in ("thing", "unknown") and self.s.agree(noun - 3, noun)
        return self.s.kind(noun - 1) == "conjunctions" and of_thing

    def join(self, mention: Mention, index: int) -> None:
        """Adds a word to a mention. Raises Unsure when it does not agree."""
        common = mention.cells & self.s.cells(index)
        if not common:
            raise Unsure(f"{self.s.tokens[index].text!r} does not agree with its noun")
        mention.words.append(index)
        mention.cells = common

    def take_determiner(self, mention: Mention, noun: int) -> None:
        """Adds the determiner before a noun, and the adjectives between."""
        fixed = len(set(self.forms(noun))) == 1  # a title like "Project Manager" keeps its words
        passes = {"unknown", "thing", "person"} if fixed else set()
        before = self.s.skip(
            noun - 1,
            -1,
            lambda i: (
                self.s.transparent(i)
                or (self.s.kind(i) == "quality" and self.s.agree(i, noun))
                or (self.s.kind(i) in passes and noun - i <= 3 and len(set(self.forms(i))) <= 1)
            ),
        )
        if self.s.kind(before) == "unknown" and not self.s.tokens[before].text[0].isupper():
            raise Unsure(f"{self.s.tokens[before].text!r} before a person")
        if self.s.kind(before) == "thing" and self.s.agree(before, noun) and before < noun - 1:
            raise Unsure(f"{self.s.tokens[before].text!r} may describe a person")
        if self.s.kind(before) != "determiner":
            return
        if self.s.kind(before - 1) == "determiner":
            raise Unsure("a pronoun before an article")
        for index in range(before, noun):
            if self.s.kind(index) in ("determiner", "quality"):
                self.join(mention, index)
                self.taken.add(index)

    def give(self, index: int) -> None:
        """Gives an adjective or participle to whom it agrees with."""
        owner = self.reference.owner(index)
        if owner == IMPLIED:
            self.implied = self.implied or Mention(None)
            self.join(self.implied, index)
        elif owner in self.people:
            self.join(self.people[owner], index)

    def forms(self, index: int) -> list[str]:
        """All forms of the word at `index`; none when it is not understood."""
        reading = self.s.reading(index)
        return list(reading.entry.forms.values()) if reading else []

    def _likelier(self, noun: int, cells: frozenset[Cell]) -> frozenset[Cell]:
        """One of two cells that share a form: the citation form, unless a number precedes."""
        if cells != {"ms", "fp"}:
            return cells
        return frozenset({"fp" if self.s.kind(noun - 1) == "number" else "ms"})

    def _names(self, noun: int) -> bool:
        """Whether the person only names a register, a degree, a contract."""
        head = self.s.head_of(noun)
        names = self.s.language.classes["names"]
        return head is not None and self.s.tokens[head].lower in names
