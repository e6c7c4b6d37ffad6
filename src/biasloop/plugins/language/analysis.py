"""Who is named in a sentence, and which words agree with them.

The reader is cautious: when it cannot tell what a word that changes with gender refers to, it
raises Unsure, and the sentence is not rewritten. The reader in `glance.py` guesses instead.
"""

from biasloop.domain.text import normalise
from biasloop.plugins.language.data import Cell, Language
from biasloop.plugins.language.doubts import Doubts
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.reference import IMPLIED, Reference
from biasloop.plugins.language.sentence import Sentence, Unsure
from biasloop.plugins.language.tokens import tokenise

MAX_WORDS = 45


def analyse(text: str, language: Language) -> Analysis:
    """The people in a sentence. Raises Unsure when it is unclear what a word refers to."""
    tokens = tokenise(text, language)
    if sum(token.is_word for token in tokens) > MAX_WORDS:
        raise Unsure("the sentence is too long to be sure of it")
    if match := language.shapes["unread"].search(normalise(text).text):
        raise Unsure(f"{match.group()!r} cannot be read")
    sentence = Sentence(tokens, language)
    reader = Reader(sentence)
    reader.check_people()
    mentions = reader.mentions()
    Doubts(reader.reference, mentions).check()
    return Analysis(sentence, tuple(reader.ordered(mentions)))


class Reader:
    """Finds the mentions of a sentence. Raises Unsure when it is unclear what a word refers to."""

    reference_kind: type[Reference] = Reference

    def __init__(self, sentence: Sentence) -> None:
        self.s = sentence
        self.people = {
            i: Mention(i)
            for i, kind in enumerate(sentence.classes)
            if kind == "person" and self.is_person(i)
        }
        self.reference = self.reference_kind(sentence, frozenset(self.people))
        self.implied: Mention | None = None
        self.assigned: set[int] = set()

    def is_person(self, index: int) -> bool:
        """Whether the word is a noun for a person, and is used for one here."""
        return self.s.kind(index) == "person" and not self._only_names(index)

    def mentions(self) -> list[Mention]:
        """All people, with the words that agree with them."""
        for noun, mention in self.people.items():
            reading = self.s.reading(noun)
            mention.role = reading.entry.role if reading else "any"
            self.join(mention, noun)
            self.add_determiner(mention, noun)
        for index, kind in enumerate(self.s.classes):
            if kind == "quality" and index not in self.assigned:
                self.assign(index)
        return [*self.people.values(), *([self.implied] if self.implied else [])]

    def ordered(self, mentions: list[Mention]) -> list[Mention]:
        """The mentions in text order; of two cells that share a form, the likelier one."""
        for mention in mentions:
            if mention.noun is not None:
                mention.cells = self._more_likely(mention.noun, mention.cells)
        return sorted(mentions, key=lambda mention: min(mention.words))

    def check_people(self) -> None:
        """Raises Unsure for a noun that may be a verb or describe a thing, or that is repeated."""
        for noun in self.people:
            word = self.s.tokens[noun].lower
            if self.may_be_verb(noun):
                raise Unsure(f"{word!r} may be a verb")
            if self.may_be_adjective(noun) or self.continues_adjective(noun):
                raise Unsure(f"{self.s.tokens[noun].text!r} may describe a thing")
        entries = [id(reading.entry) for noun in self.people if (reading := self.s.reading(noun))]
        if len(set(entries)) < len(entries):
            raise Unsure("the same person twice")

    def may_be_verb(self, noun: int) -> bool:
        """Whether a noun for a person begins a clause and could be a verb there."""
        begins = self.s.kind(noun - 1) in ("end", "mark", "conjunctions", "particles")
        return begins and self.s.tokens[noun].lower in self.s.language.classes["imperative"]

    def may_be_adjective(self, noun: int) -> bool:
        """Whether a noun for a person follows a thing that it agrees with; not "aiuto cuoco"."""
        if noun and self.s.tokens[noun - 1].lower in self.s.language.classes["aides"]:
            return False
        fixed = len(set(self.forms(noun))) == 1
        return self.s.kind(noun - 1) == "thing" and self.s.agree(noun - 1, noun) and not fixed

    def continues_adjective(self, noun: int) -> bool:
        """Whether a noun for a person may be a second adjective: after a slash
        ("perito meccanico/elettrotecnico") or of a thing ("indirizzo tecnico o meccanico")."""
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

    def add_determiner(self, mention: Mention, noun: int) -> None:
        """Adds the determiner before a noun, and the adjectives between them."""
        fixed = len(set(self.forms(noun))) == 1  # a title like "Project Manager"
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
                self.assigned.add(index)

    def assign(self, index: int) -> None:
        """Adds an adjective or participle to the mention of the person it agrees with."""
        owner = self.reference.owner(index)
        if owner == IMPLIED:
            self.implied = self.implied or Mention(None)
            self.join(self.implied, index)
        elif owner in self.people:
            self.join(self.people[owner], index)

    def forms(self, index: int) -> list[str]:
        """All forms of the word at `index`; [] when it has no reading."""
        reading = self.s.reading(index)
        return list(reading.entry.forms.values()) if reading else []

    def _more_likely(self, noun: int, cells: frozenset[Cell]) -> frozenset[Cell]:
        """Of "ms" and "fp" with one form, "fp" after a number and else "ms"; other cells stay."""
        if cells != {"ms", "fp"}:
            return cells
        return frozenset({"fp" if self.s.kind(noun - 1) == "number" else "ms"})

    def _only_names(self, noun: int) -> bool:
        """Whether the noun is only part of the name of a register, a degree or a contract."""
        head = self.s.head_of(noun)
        names = self.s.language.classes["names"]
        return head is not None and self.s.tokens[head].lower in names
