"""Who is named in a sentence, and which words agree with them.

The reader is cautious: when it cannot tell what a word that changes with gender refers to, it
raises Unsure, and the sentence is left alone.
"""

from dataclasses import dataclass, field

from biasloop.expanders.language import CELLS, Cell, Language
from biasloop.expanders.sentence import NOUNS, VERBAL, Sentence, Unsure
from biasloop.expanders.tokens import tokenise

WORDS_AT_MOST = 45
_PREDICATIVE = frozenset({"copulas", "copulas_you", "copulas_infinitive"})
_NOBODY = -1
"""The word agrees with a thing, with the speakers, or with nothing."""
_IMPLIED = -2
"""The word means the person sought, who is not named."""


@dataclass(slots=True)
class Mention:
    """A person in the sentence: the places of the words that agree, and their common cells.

    `noun` is None when only agreement shows the person.
    """

    noun: int | None
    words: list[int] = field(default_factory=list)
    cells: frozenset[Cell] = frozenset(CELLS)
    role: str = "sought"

    @property
    def number(self) -> str:
        """ "s" or "p"; "" while both are possible."""
        numbers = {cell[1] for cell in self.cells}
        return numbers.pop() if len(numbers) == 1 else ""

    @property
    def gender(self) -> str:
        """ "m" or "f"; "" when nothing tells."""
        genders = {cell[0] for cell in self.cells}
        return genders.pop() if len(genders) == 1 else ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A sentence that is understood, and the people in it."""

    sentence: Sentence
    mentions: tuple[Mention, ...]

    def marked(self, mention: Mention, index: int) -> bool:
        """Whether this word of the mention names one gender only."""
        if self.sentence.tokens[index].paired or not mention.number:
            return False
        cells = {c for c in self.sentence.cells(index) if c[1] == mention.number}
        return len(cells) == 1

    def paired(self, mention: Mention) -> bool:
        """Whether some word of the mention already names both genders."""
        return any(self.sentence.tokens[index].paired for index in mention.words)


def analyse(text: str, language: Language) -> Analysis:
    """The people of a sentence. Raises Unsure when a word's reference is in doubt."""
    if found := language.shapes["unread"].search(text):
        raise Unsure(f"{found.group()!r} is more than the reader knows")
    sentence = Sentence(tokenise(text, language), language)
    if sum(token.is_word for token in sentence.tokens) > WORDS_AT_MOST:
        raise Unsure("the sentence is too long to be sure of it")
    return Analysis(sentence, tuple(_Reader(sentence).mentions()))


class _Reader:
    def __init__(self, sentence: Sentence) -> None:
        self.s = sentence
        places = range(len(sentence))
        self.people = {
            i: Mention(i) for i in places if sentence.kind(i) == "person" and not self._named(i)
        }
        self.implied: Mention | None = None

    def mentions(self) -> list[Mention]:
        for noun, mention in self.people.items():
            reading = self.s.tokens[noun].person
            mention.role = reading.entry.role if reading else "any"
            self._join(mention, noun)
            self._take_determiner(mention, noun)
        for index in range(len(self.s)):
            if self.s.kind(index) == "quality":
                self._give(index)
        self._check_rest()
        found = [*self.people.values(), *([self.implied] if self.implied else [])]
        return sorted(found, key=lambda mention: min(mention.words))

    def _named(self, noun: int) -> bool:
        """Whether the person only names a register, a degree, a contract."""
        head = self._head_of(noun)
        names = self.s.language.classes["names"]
        return head is not None and self.s.tokens[head].lower in names

    def _join(self, mention: Mention, index: int) -> None:
        mention.words.append(index)
        mention.cells &= self.s.cells(index)
        if not mention.cells:
            raise Unsure(f"{self.s.tokens[index].text!r} does not agree with its noun")

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
        if self.s.kind(before) != "determiner":
            return
        if self.s.kind(before - 1) == "determiner":
            raise Unsure("a pronoun before an article")
        self._join(mention, before)

    def _forms(self, index: int) -> list[str]:
        reading = self.s.reading(index)
        return list(reading.entry.forms.values()) if reading else []

    def _foreign(self, index: int) -> bool:
        forms = set(self._forms(index))
        return len(forms) <= 1

    def _give(self, index: int) -> None:
        """Gives an adjective or participle to whom it agrees with."""
        owner = self._owner(index)
        if owner == _IMPLIED:
            self.implied = self.implied or Mention(None)
            self._join(self.implied, index)
        elif owner in self.people:
            self._join(self.people[owner], index)

    def _role(self, index: int) -> str:
        reading = self.s.reading(index)
        return reading.entry.role if reading and reading.entry.kind == "quality" else "either"

    def _owner(self, index: int) -> int:
        before = self.s.skip(index - 1, -1, lambda i: self._in_row(i, index))
        kind = self.s.kind(before)
        if kind in NOUNS:
            return self._noun_before(before, index)
        if kind == "have":
            return _NOBODY
        if kind == "copulas_us":
            return _NOBODY
        if kind == "copulas_you":
            return self._sought(index)
        if kind in ("copulas", "copulas_infinitive"):
            return self._subject(before, index)
        after = self.s.noun_after(index)
        if after is not None:
            return after
        return self._alone(index, nominal=kind in ("determiner", "prepositions"))

    def _in_row(self, place: int, index: int) -> bool:
        """Whether a walk from the adjective at `index` to its noun passes over `place`."""
        if self.s.transparent(place):
            return True
        if self.s.kind(place) == "quality":
            return self.s.agree(place, index)
        joins = self.s.kind(place) == "conjunctions" or self.s.tokens[place].text == ","
        return joins and self.s.kind(place - 1) in ("quality", "invariable")

    def _noun_before(self, noun: int, index: int) -> int:
        """The nearest noun to the left that agrees, over nouns that hang on a preposition."""
        nearest = noun
        while self.s.kind(noun) in NOUNS:
            if self.s.agree(noun, index):
                further = self._head_of(noun)
                if (
                    noun not in self.people
                    and self._role(index) != "thing"
                    and further in self.people
                    and self.s.agree(further, index)
                ):
                    raise Unsure("two nouns that an adjective may belong to")
                return noun
            further = self._head_of(noun)
            if further is None:
                break
            noun = further
        if self._role(index) == "thing" and nearest not in self.people:
            return _NOBODY
        raise Unsure(f"{self.s.tokens[index].text!r} agrees with no noun before it")

    def _head_of(self, noun: int) -> int | None:
        """The noun that the phrase of this one hangs on, by a preposition."""
        if not self.s.governed(noun):
            return None
        start = self.s.phrase_start(noun)
        head = self.s.skip(
            start, -1, lambda i: self.s.transparent(i) or self.s.kind(i) == "quality"
        )
        return head if self.s.kind(head) in NOUNS else None

    def _subject(self, copula: int, index: int) -> int:
        light = ("adverbs", "clitics", "modals", "copulas")
        before = self.s.skip(copula - 1, -1, lambda i: self.s.kind(i) in light)
        infinitive = self.s.kind(copula) == "copulas_infinitive"
        if infinitive and not any(self.s.kind(i) == "modals" for i in range(before + 1, copula)):
            return self._sought(index) if self._role(index) != "thing" else _NOBODY
        if self.s.kind(before) == "relatives":
            noun = self.s.skip(before - 1, -1, lambda i: self.s.kind(i) not in NOUNS)
            return self._noun_before(noun, index) if noun >= 0 else self._sought(index)
        subjects = self._free_nouns(before, index)
        if len(subjects) == 1:
            return subjects[0]
        if not subjects and (after := self.s.noun_after(index)) is not None:
            return after
        if not subjects and self._role(index) == "person":
            return self._sought(index)
        if self._role(index) == "thing" and not set(subjects) & set(self.people):
            return _NOBODY
        raise Unsure(f"no clear subject for {self.s.tokens[index].text!r}")

    def _free_nouns(self, place: int, index: int) -> list[int]:
        """Nouns of the clause up to `place` that agree and hang on no preposition."""
        start = self.s.skip(place, -1, lambda i: not self.s.ends_clause(i))
        return [
            i
            for i in range(start + 1, place + 1)
            if self.s.kind(i) in NOUNS and not self.s.governed(i) and self.s.agree(i, index)
        ]

    def _alone(self, index: int, nominal: bool) -> int:
        role = self._role(index)
        if role == "thing":
            return _NOBODY
        if role == "either":
            raise Unsure(f"cannot tell whom {self.s.tokens[index].text!r} describes")
        if nominal:
            raise Unsure(f"{self.s.tokens[index].text!r} stands for a noun")
        return self._sought(index)

    def _sought(self, index: int) -> int:
        """The one person of the sentence that agrees; the unnamed one when nobody is named."""
        if not self.people:
            return _IMPLIED
        fitting = [noun for noun in self.people if self.s.agree(noun, index)]
        if len(fitting) != 1:
            raise Unsure(f"cannot tell which person {self.s.tokens[index].text!r} describes")
        return fitting[0]

    def _check_rest(self) -> None:
        """Refuses what may be a person or an adjective that the lexicon does not know."""
        shapes = self.s.language.shapes
        for index, token in enumerate(self.s.tokens):
            kind = self.s.kind(index)
            if kind == "determiner" and self.s.kind(index + 1) in VERBAL | {"clitics"}:
                raise Unsure(f"{token.text!r} is a pronoun here")
            if kind != "unknown":
                continue
            if self.s.kind(self.s.skip(index - 1, -1, self.s.transparent)) in _PREDICATIVE:
                raise Unsure(f"{token.text!r} may describe a person")
            if shapes["suspicious"].match(token.lower):
                raise Unsure(f"{token.text!r} may be a person")
            if shapes["adjectival"].match(token.lower):
                self._check_adjective(index)
            if shapes["nominal"].match(token.lower) and self._nominal(index):
                raise Unsure(f"{token.text!r} may be a person")

    def _check_adjective(self, index: int) -> None:
        before = self.s.skip(index - 1, -1, lambda i: self._in_row(i, index))
        if self.s.kind(before) == "have" or self.s.noun_after(index) is not None:
            return
        if self.s.kind(before) not in NOUNS or self._noun_before(before, index) in self.people:
            raise Unsure(f"{self.s.tokens[index].text!r} may describe a person")

    def _nominal(self, index: int) -> bool:
        after = self.s.kind(index + 1)
        return self.s.kind(index - 1) == "determiner" and after not in NOUNS
