"""Who is named in a sentence, and which words agree with them.

The reader is cautious: when it cannot tell what a word that changes with gender refers to, it
raises Unsure, and the sentence is left alone.
"""

from collections.abc import Callable

from biasloop.language.data import Cell, Language
from biasloop.language.doubts import Doubts
from biasloop.language.mentions import Analysis, Mention
from biasloop.language.reference import IMPLIED, Reference
from biasloop.language.sentence import Sentence, Unsure
from biasloop.language.tokens import tokenise

WORDS_AT_MOST = 45


def analyse(text: str, language: Language) -> Analysis:
    """The people of a sentence. Raises Unsure when a word's reference is in doubt."""
    if found := language.shapes["unread"].search(text):
        raise Unsure(f"{found.group()!r} is more than the reader knows")
    sentence = Sentence(tokenise(text, language), language)
    if sum(token.is_word for token in sentence.tokens) > WORDS_AT_MOST:
        raise Unsure("the sentence is too long to be sure of it")
    return Analysis(sentence, tuple(_Reader(sentence).mentions()))


def glance(text: str, language: Language) -> Analysis:
    """The people of any sentence, as far as they show: a word in doubt belongs to nobody.

    Good enough to learn from, not to rewrite from.
    """
    sentence = Sentence(tokenise(text, language), language, bold=True)
    return Analysis(sentence, tuple(_Reader(sentence, bold=True).mentions()))


class _Reader:
    def __init__(self, sentence: Sentence, *, bold: bool = False) -> None:
        self.s = sentence
        self.bold = bold
        places = range(len(sentence))
        self.people = {
            i: Mention(i) for i in places if sentence.kind(i) == "person" and not self._named(i)
        }
        self.reference = Reference(sentence, frozenset(self.people))
        self.implied: Mention | None = None
        self.taken: set[int] = set()

    def mentions(self) -> list[Mention]:
        if not self.bold:
            self._check_people()
        for noun, mention in self.people.items():
            reading = self.s.tokens[noun].person
            mention.role = reading.entry.role if reading else "any"
            self._join(mention, noun)
            self._try(self._take_determiner, mention, noun)
        for index in range(len(self.s)):
            if self.s.kind(index) == "quality" and index not in self.taken:
                self._try(self._give, index)
        found = [*self.people.values(), *([self.implied] if self.implied else [])]
        if not self.bold:
            Doubts(self.reference, found).check()
        for noun, mention in self.people.items():
            mention.cells = self._likelier(noun, mention.cells)
        return sorted(found, key=lambda mention: min(mention.words))

    def _try(self, step: Callable[..., None], *what: object) -> None:
        try:
            step(*what)
        except Unsure:
            if not self.bold:
                raise

    def _check_people(self) -> None:
        """Refuses a person's word that a thing's word precedes, and one said in both genders."""
        for noun in self.people:
            word = self.s.tokens[noun].lower
            begins = self.s.kind(noun - 1) in ("end", "mark", "conjunctions", "particles")
            if begins and word in self.s.language.classes["imperative"]:
                raise Unsure(f"{word!r} may be a verb")
            fixed = len(set(self._forms(noun))) == 1
            if self.s.kind(noun - 1) == "thing" and self.s.agree(noun - 1, noun) and not fixed:
                raise Unsure(f"{self.s.tokens[noun].text!r} may describe a thing")
        entries = [id(reading.entry) for noun in self.people if (reading := self.s.reading(noun))]
        if len(set(entries)) < len(entries):
            raise Unsure("the same person twice")

    def _likelier(self, noun: int, cells: frozenset[Cell]) -> frozenset[Cell]:
        """One of two cells that share a form: the citation form, unless a number precedes."""
        if cells != {"ms", "fp"}:
            return cells
        return frozenset({"fp" if self.s.kind(noun - 1) == "number" else "ms"})

    def _named(self, noun: int) -> bool:
        """Whether the person only names a register, a degree, a contract."""
        head = self.s.head_of(noun)
        names = self.s.language.classes["names"]
        return head is not None and self.s.tokens[head].lower in names

    def _join(self, mention: Mention, index: int) -> None:
        common = mention.cells & self.s.cells(index)
        if not common:
            raise Unsure(f"{self.s.tokens[index].text!r} does not agree with its noun")
        mention.words.append(index)
        mention.cells = common

    def _take_determiner(self, mention: Mention, noun: int) -> None:
        fixed = len(set(self._forms(noun))) == 1  # a title like "Project Manager" keeps its words
        passes = {"unknown", "thing", "person"} if fixed else set()
        before = self.s.skip(
            noun - 1,
            -1,
            lambda i: (
                self.s.transparent(i)
                or (self.s.kind(i) == "quality" and self.s.agree(i, noun))
                or (self.s.kind(i) in passes and noun - i <= 3 and self._foreign(i))
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
                self._join(mention, index)
                self.taken.add(index)

    def _forms(self, index: int) -> list[str]:
        reading = self.s.reading(index)
        return list(reading.entry.forms.values()) if reading else []

    def _foreign(self, index: int) -> bool:
        forms = set(self._forms(index))
        return len(forms) <= 1

    def _give(self, index: int) -> None:
        """Gives an adjective or participle to whom it agrees with."""
        owner = self.reference.owner(index)
        if owner == IMPLIED:
            self.implied = self.implied or Mention(None)
            self._join(self.implied, index)
        elif owner in self.people:
            self._join(self.people[owner], index)
