"""Who is named in a sentence, and which words agree with them.

The reader is cautious: when it cannot tell what a word that changes with gender refers to, it
raises Unsure, and the sentence is left alone.
"""

from biasloop.expanders.language import Language
from biasloop.expanders.mentions import Analysis, Mention
from biasloop.expanders.sentence import NOUNS, VERBAL, Sentence, Unsure
from biasloop.expanders.tokens import tokenise

WORDS_AT_MOST = 45
_BEFORE_A_NOUN = frozenset({"determiner", "prepositions", "number", "thing", "unknown", "have"})
_PREDICATIVE = frozenset({"copulas", "copulas_you", "copulas_infinitive"})
_NOBODY = -1
"""The word agrees with a thing, with the speakers, or with nothing."""
_IMPLIED = -2
"""The word means the person sought, who is not named."""


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
        self.taken: set[int] = set()

    def mentions(self) -> list[Mention]:
        self._check_people()
        for noun, mention in self.people.items():
            reading = self.s.tokens[noun].person
            mention.role = reading.entry.role if reading else "any"
            self._join(mention, noun)
            self._take_determiner(mention, noun)
        for index in range(len(self.s)):
            if self.s.kind(index) == "quality" and index not in self.taken:
                self._give(index)
        self._check_rest()
        found = [*self.people.values(), *([self.implied] if self.implied else [])]
        return sorted(found, key=lambda mention: min(mention.words))

    def _check_people(self) -> None:
        """Refuses a person's word that a thing's word precedes, and one said in both genders."""
        for noun in self.people:
            word = self.s.tokens[noun].lower
            begins = self.s.kind(noun - 1) in ("end", "mark", "conjunctions", "particles")
            if begins and word in self.s.language.classes["imperative"]:
                raise Unsure(f"{word!r} may be a verb")
            if self.s.kind(noun - 1) == "thing" and self.s.agree(noun - 1, noun):
                raise Unsure(f"{self.s.tokens[noun].text!r} may describe a thing")
        entries = [id(reading.entry) for noun in self.people if (reading := self.s.reading(noun))]
        if len(set(entries)) < len(entries):
            raise Unsure("the same person twice")

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
        if self.s.kind(before) == "unknown" and not self.s.tokens[before].text[0].isupper():
            raise Unsure(f"{self.s.tokens[before].text!r} before a person")
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
        if self.s.tokens[index].paired:
            return self._sought(index)
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
        return joins and (
            self.s.kind(place - 1) in ("quality", "invariable") or self._adjectival(place - 1)
        )

    def _adjectival(self, index: int) -> bool:
        """Whether an unknown word has the shape of an adjective or participle."""
        if self.s.kind(index) != "unknown":
            return False
        return self.s.language.shapes["adjectival"].match(self.s.tokens[index].lower) is not None

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
                doubtful = self._role(index) == "person" or not self.s.surely_noun(noun)
                if noun not in self.people and doubtful and self._any_person(index):
                    raise Unsure(f"{self.s.tokens[index].text!r} may describe a person")
                return noun
            further = self._head_of(noun)
            if further is None:
                break
            noun = further
        if self._role(index) == "thing" and nearest not in self.people:
            return _NOBODY
        raise Unsure(f"{self.s.tokens[index].text!r} agrees with no noun before it")

    def _any_person(self, index: int) -> bool:
        return any(self.s.agree(noun, index) for noun in self.people)

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
        if not subjects and (after := self._subject_after(index)) is not None:
            return after
        if not subjects and self._role(index) == "person":
            return self._sought(index)
        if self._role(index) == "thing" and not set(subjects) & set(self.people):
            return _NOBODY
        raise Unsure(f"no clear subject for {self.s.tokens[index].text!r}")

    def _subject_after(self, index: int) -> int | None:
        """A subject that follows its predicate ("è ammesso anche il lavoro da casa")."""
        article = self.s.skip(index + 1, 1, self.s.transparent)
        if self.s.kind(article) == "determiner" and self.s.agree(article, index):
            noun = self.s.skip(article + 1, 1, self.s.transparent)
            return noun if self.s.kind(noun) in NOUNS else None
        return self.s.noun_after(index)

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
            if self._after_person(index):
                raise Unsure(f"{self.s.tokens[index].text!r} may describe a person")
            return _NOBODY
        if role == "either":
            raise Unsure(f"cannot tell whom {self.s.tokens[index].text!r} describes")
        if nominal:
            raise Unsure(f"{self.s.tokens[index].text!r} stands for a noun")
        return self._sought(index)

    def _after_person(self, index: int) -> bool:
        """Whether a person that the word agrees with is named before it in the clause."""
        return any(noun in self.people for noun in self._free_nouns(index - 1, index))

    def _sought(self, index: int) -> int:
        """The one person of the sentence that agrees; the unnamed one when nobody is named."""
        if any(self._stands_in(i) and self.s.agree(i, index) for i in range(len(self.s))):
            if self.people:
                raise Unsure(f"cannot tell whom {self.s.tokens[index].text!r} describes")
            return _NOBODY
        if not self.people:
            if self._speakers() and not any(c[1] == "s" for c in self.s.cells(index)):
                raise Unsure(f"{self.s.tokens[index].text!r} may describe those who write")
            if any(self.s.kind(i) == "unknown" for i in self._free_nouns(index - 1, index)):
                raise Unsure(f"{self.s.tokens[index].text!r} may describe another word")
            return _IMPLIED
        fitting = [noun for noun in self.people if self.s.agree(noun, index)]
        if len(fitting) != 1:
            raise Unsure(f"cannot tell which person {self.s.tokens[index].text!r} describes")
        return fitting[0]

    def _stands_in(self, index: int) -> bool:
        return self.s.tokens[index].lower in self.s.language.classes["stand_ins"]

    def _speakers(self) -> bool:
        shape = self.s.language.shapes["speakers"]
        return any(shape.match(token.lower) for token in self.s.tokens)

    def _check_rest(self) -> None:
        """Refuses what may be a person or an adjective that the lexicon does not know."""
        shapes = self.s.language.shapes
        for index, token in enumerate(self.s.tokens):
            kind = self.s.kind(index)
            if kind == "determiner" and self.s.kind(index + 1) in VERBAL | {"clitics"}:
                raise Unsure(f"{token.text!r} is a pronoun here")
            if kind != "unknown":
                continue
            if self._may_describe(index):
                raise Unsure(f"{token.text!r} may describe a person")
            if shapes["suspicious"].match(token.lower):
                raise Unsure(f"{token.text!r} may be a person")
            if self._adjectival(index):
                self._check_adjective(index)
            if shapes["nominal"].match(token.lower) and self._nominal(index):
                raise Unsure(f"{token.text!r} may be a person")

    def _may_describe(self, index: int) -> bool:
        """Whether an unknown word may be an adjective of a person: by its ending and its place."""
        token = self.s.tokens[index]
        before = self.s.kind(self.s.skip(index - 1, -1, self.s.transparent))
        if before in _BEFORE_A_NOUN or (index and token.text[0].isupper()):
            return False
        if self.s.language.shapes["substantive"].match(token.lower):
            return False
        cells = self.s.cells(index)
        people = [*self.people.values(), *([self.implied] if self.implied else [])]
        return before in _PREDICATIVE or any(
            mention.cells & cells and (len(cells) < 3 or mention.cells & cells == {"fp"})
            for mention in people
        )

    def _check_adjective(self, index: int) -> None:
        before = self.s.skip(index - 1, -1, lambda i: self._in_row(i, index))
        if self.s.kind(before) == "have" or self.s.noun_after(index) is not None:
            return
        bare = self.s.kind(index - 1) == "prepositions"
        if bare and all(cell[1] == "s" for cell in self.s.cells(index)):
            return  # people in the singular have an article ("in possesso")
        if self.s.kind(before) not in NOUNS or self._noun_before(before, index) in self.people:
            raise Unsure(f"{self.s.tokens[index].text!r} may describe a person")

    def _nominal(self, index: int) -> bool:
        after = self.s.kind(index + 1)
        return self.s.kind(index - 1) == "determiner" and after not in NOUNS
