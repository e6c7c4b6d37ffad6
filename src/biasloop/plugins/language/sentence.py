"""The class of each word in a sentence, and the limits of its phrase."""

from collections.abc import Callable, Sequence

from biasloop.plugins.language.data import Cell, Language, Reading
from biasloop.plugins.language.tokens import Token
from biasloop.plugins.language.words import closed_class, has_shape

NOUNS = frozenset({"person", "thing", "unknown"})
VERBAL = frozenset({"verbs", "have", "copulas", "modals", "copulas_you", "copulas_us"})
_TRANSPARENT = frozenset({"adverbs", "invariable", "number"})
_DESCRIBED = NOUNS | {"quality", "invariable", "ambiguous"}
_BEFORE_A_NUMBER = frozenset({"prepositions", "determiner", "quality", "ambiguous"})
_END = frozenset(".;:!?•–—-()\n")


class Unsure(Exception):
    """The sentence is not understood well enough to be rewritten. A result, not a failure."""


class Sentence:
    """The tokens of a text with their word classes; index -1 and len are the borders.

    Raises Unsure when the class of a word is unclear.
    """

    def __init__(self, tokens: Sequence[Token], language: Language) -> None:
        self.tokens = tokens
        self.language = language
        self.classes: list[str] = []
        for index in range(len(tokens)):
            self.classes.append(self._class(index))
        for index, name in enumerate(self.classes):
            if name == "ambiguous":
                self.classes[index] = self._resolve(index)
        for index, name in enumerate(self.classes):
            if name == "twofold" or (name == "thing" and self.title_or_described(index)):
                self.classes[index] = self.person_or_thing(index)

    def __len__(self) -> int:
        return len(self.tokens)

    def kind(self, index: int) -> str:
        """The class of a word; "end" outside the sentence."""
        if index < 0:
            return "end"
        try:  # faster than comparing with the length
            return self.classes[index]
        except IndexError:
            return "end"

    def cells(self, index: int) -> frozenset[Cell]:
        """The cells (gender and number) that the word at `index` can have."""
        reading = self.reading(index)
        if reading is not None:
            return reading.cells
        word = self.tokens[index].lower
        return self.language.things.get(word) or self.language.guess(word)

    def reading(self, index: int) -> Reading | None:
        """The reading that belongs to the word's class; None if there is none."""
        token, name = self.tokens[index], self.classes[index]
        if name == "quality":
            return token.quality or token.person
        return {"person": token.person, "determiner": token.determiner}.get(name)

    def refused(self, index: int) -> bool:
        """Whether the word at `index` makes a sentence unreadable."""
        token = self.tokens[index]
        refuse = self.language.classes["refuse"]
        return token.lower in refuse or (token.paired and not any(token.readings()))

    def person_or_thing(self, index: int) -> str:
        """The class of a noun that names a person or a thing ("un grafico")."""
        as_whom = index and self.tokens[index - 1].lower in self.language.classes["as"]
        if self.kind(index - 1) == "prepositions" and not as_whom:
            return "thing"
        raise Unsure(f"{self.tokens[index].text!r} may be a person or a thing")

    def title_or_described(self, index: int) -> bool:
        """Whether a word for things or people ends a title ("uno Scrum Master") or has an adjective
        that describes only people ("concorrenti esclusi")."""
        person, after = self.tokens[index].person, index + 1
        if person is None:
            return False
        capitals = index and all(t.text[0].isupper() for t in self.tokens[index - 1 : after])
        if capitals and self.kind(index - 1) == "unknown":
            return True
        quality = self.tokens[after].quality if self.kind(after) == "quality" else None
        personal = quality is not None and quality.entry.role == "person"
        return personal and bool(person.cells & self.cells(after))

    def agree(self, first: int, second: int) -> bool:
        """Whether two words can agree in gender and number."""
        return bool(self.cells(first) & self.cells(second))

    def skip(self, index: int, step: int, passes: Callable[[int], bool]) -> int:
        """The first position from `index` on, in steps of `step`, for which `passes` is false."""
        end = len(self)
        while 0 <= index < end and passes(index):
            index += step
        return index

    def adjectival(self, index: int) -> bool:
        """Whether an unknown word has the shape of an adjective or participle."""
        shape = self.language.shapes["adjectival"]
        return self.kind(index) == "unknown" and shape.match(self.tokens[index].lower) is not None

    def transparent(self, index: int) -> bool:
        """Adverbs, numbers and adjectives without gender: they never end a phrase."""
        return self.kind(index) in _TRANSPARENT

    def ends_clause(self, index: int) -> bool:
        """A mark that ends a clause, or a border of the sentence."""
        return self.kind(index) == "end" or (
            self.kind(index) == "mark" and self.tokens[index].text in _END
        )

    def governed(self, noun: int) -> bool:
        """Whether the noun's phrase follows a preposition; two words for one person are one
        phrase ("di aspiranti cuochi")."""
        first = self.title_start(noun)
        while self.kind(first - 1) == "person" and self.agree(first - 1, noun):
            first -= 1
        before = self.skip(first - 1, -1, lambda i: self.kind(i) in _TRANSPARENT | {"quality"})
        if self.kind(before) == "determiner":
            reading = self.tokens[before].determiner
            if reading is not None and reading.entry.role == "preposition":
                return True
            before -= 1
            if self.kind(before) == "quality":
                before -= 1
        return self.kind(before) == "prepositions"

    def surely_noun(self, index: int) -> bool:
        """Whether a word that the lexicon does not know can only be a noun here."""
        if self.kind(index) != "unknown":
            return self.kind(index) in NOUNS
        before = self.kind(index - 1)
        shape = self.language.shapes["substantive"].match(self.tokens[index].lower)
        return shape is not None or before in ("determiner", "prepositions", "number")

    def phrase_start(self, noun: int) -> int:
        """The position just before the noun's phrase, which includes its preposition."""
        first = self.title_start(noun)
        before = self.skip(
            first - 1, -1, lambda i: self.kind(i) in _TRANSPARENT | {"quality", "determiner"}
        )
        return before - 1 if self.kind(before) == "prepositions" else before

    def title_start(self, noun: int) -> int:
        """The first word of a title that ends with this noun of one form ("Sales Manager")."""
        reading = self.reading(noun)
        if reading is None or len(set(reading.entry.forms.values())) > 1:
            return noun
        before = self.skip(
            noun - 1, -1, lambda i: self.kind(i) == "unknown" and self.tokens[i].text[0].isupper()
        )
        return before + 1

    def head_of(self, noun: int) -> int | None:
        """The noun that this one is attached to by a preposition ("profilo di cuoco"), if any."""
        if not self.governed(noun):
            return None
        start = self.phrase_start(noun)
        head = self.skip(start, -1, lambda i: self.transparent(i) or self.kind(i) == "quality")
        return head if self.kind(head) in NOUNS else None

    def noun_after(self, index: int) -> int | None:
        """The noun that an adjective at `index` may stand before, if it agrees."""
        reach = self.skip(
            index + 1,
            1,
            lambda i: self.transparent(i) or (self.kind(i) == "quality" and self.agree(i, index)),
        )
        if (
            reach == index + 1
            and self.plain_article(reach)
            and self._precedes_article(index, reach)
        ):
            reach = self.skip(reach + 1, 1, self.transparent)
        if self.kind(reach) in NOUNS and self.agree(reach, index):
            return reach
        return None

    def _precedes_article(self, index: int, article: int) -> bool:
        """Whether the word can stand before an article ("tutti i")."""
        quality = self.tokens[index].quality
        before = quality is not None and quality.entry.role == "thing"
        return before and self.agree(index, article)

    def plain_article(self, index: int) -> bool:
        """Whether an article without a preposition stands here."""
        reading = self.tokens[index].determiner if self.kind(index) == "determiner" else None
        return reading is not None and reading.entry.role != "preposition"

    def _class(self, index: int) -> str:
        token, classes = self.tokens[index], self.language.classes
        word = token.lower
        if not token.is_word:
            return "mark"
        if self.refused(index):
            raise Unsure(f"cannot tell what {token.text!r} refers to")
        if word[0].isdigit() or (word in classes["numerals"] and self._is_number(index, word)):
            return "number"
        return closed_class(word, self.language) or self._open_class(index, word)

    def _is_number(self, index: int, word: str) -> bool:
        """Whether a numeral is a number here ("su sei giorni", "sei sarti"), not the verb of the
        same form."""
        verb = word in self.language.classes["copulas_you"]
        return not verb or self.kind(index - 1) in _BEFORE_A_NUMBER or self._before_plural(index)

    def _before_plural(self, index: int) -> bool:
        """Whether the next word is known and always a plural."""
        if index + 1 == len(self):
            return False
        token = self.tokens[index + 1]
        cells = [reading.cells for reading in token.readings()]
        cells.append(self.language.things.get(token.lower, frozenset()))
        return {cell[1] for group in cells for cell in group} == {"p"}

    def _open_class(self, index: int, word: str) -> str:
        """Noun, adjective or verb; "ambiguous" is resolved after all words have a class."""
        token, classes = self.tokens[index], self.language.classes
        if token.determiner is not None:
            return "determiner"
        thing, bare = word in self.language.things, word in classes["invariable"]
        person, quality = token.person is not None and not thing, token.quality is not None
        if ((thing or person) and quality) or (person and bare):
            return "ambiguous"
        if person:
            return "person"
        if word in classes["verbs"] and self.kind(index - 1) != "determiner":
            return "verbs"
        if quality and self.kind(index - 1) == "clitics":
            return "verbs"
        if thing:
            return "twofold" if self._shows_gender(index) else "thing"
        if quality:
            return "quality"
        if bare or self._describes(index, word):
            return "invariable"
        return "verbs" if has_shape(word, "verb_shapes", self.language) else "unknown"

    def _shows_gender(self, index: int) -> bool:
        """Whether the word is a noun for a person whose form shows the gender."""
        reading = self.tokens[index].person
        return reading is not None and not reading.entry.epicene("s")

    def _describes(self, index: int, word: str) -> bool:
        """Whether an unknown word after a noun has the shape of an adjective without gender."""
        return self.kind(index - 1) in _DESCRIBED and has_shape(word, "shared", self.language)

    def _ends_phrase(self, before: int, index: int) -> bool:
        """Whether article and adjectives precede it and no noun follows ("una certa tenuta")."""
        article = self.skip(before, -1, lambda i: self.kind(i) == "quality")
        return (
            article < before
            and self.kind(article) == "determiner"
            and self.kind(index + 1) not in NOUNS | {"quality"}
            and self.agree(before, index)
        )

    def _resolve(self, index: int) -> str:
        """Noun or adjective: what stands before and after a word that can be both decides."""
        token = self.tokens[index]
        adjective = "quality" if token.quality is not None else "invariable"
        thing = token.lower in self.language.things
        noun = "person" if not thing else "twofold" if self._shows_gender(index) else "thing"
        before = self.skip(index - 1, -1, self.transparent)
        role = token.quality.entry.role if token.quality is not None else ""
        if thing and self.kind(before) == "person" and role == "thing":
            return noun  # "ai clienti solo prodotti"
        described = index and self.tokens[index - 1].lower in self.language.classes["degrees"]
        if described and self.kind(before) != "have":  # "già pratica", not "hai già pratica"
            return adjective
        if self._ends_phrase(before, index):
            return noun
        if self.kind(before) in NOUNS | {"quality", "copulas", "copulas_you", "copulas_infinitive"}:
            return adjective
        joins = self.kind(before) == "conjunctions" or (
            self.kind(before) == "mark" and self.tokens[before].text in ",/"
        )
        if joins:
            joined = self.kind(before - 1) in ("quality", "invariable")
            joined = joined or role == "person" or self.adjectival(before - 1)
            return adjective if joined else noun
        prenominal = self.kind(index + 1) in NOUNS | {"quality"}
        if prenominal and self.kind(index - 1) == "determiner":  # not "un Responsabile Relazioni"
            prenominal = self.agree(index - 1, index + 1)
        return "invariable" if prenominal and adjective == "invariable" else noun
