"""Finds the person or thing that an adjective or participle agrees with."""

from biasloop.plugins.language.sentence import NOUNS, Sentence, Unsure

NOBODY = -1
"""The word agrees with a thing, with the authors of the text, or with nothing."""
IMPLIED = -2
"""The word describes the person sought, whom no noun names."""


class Reference:
    """Finds the noun that a word belongs to; `people` are the positions of nouns for people."""

    def __init__(self, sentence: Sentence, people: frozenset[int]) -> None:
        self.s = sentence
        self.people = people

    def doubt(self, why: str, guess: int) -> int:
        """Called when the owner is unclear. Raises Unsure; a subclass may return the guess."""
        raise Unsure(why)

    def owner(self, index: int) -> int:
        """The noun that the word at `index` describes, or NOBODY or IMPLIED."""
        if self.s.tokens[index].paired:
            return self._sought(index)
        if self._before_thing(index):
            return index + 1
        before = self.s.skip(index - 1, -1, lambda i: self.skippable(i, index))
        kind = self.s.kind(before)
        if kind in NOUNS:
            return self.noun_before(before, index)
        if kind == "have":
            return NOBODY
        if kind == "copulas_us":
            return NOBODY
        if kind == "copulas_you":
            return self._sought(index)
        if kind in ("copulas", "copulas_infinitive"):
            return self._subject(before, index)
        after = self.s.noun_after(index)
        if after is None and kind == "verbs" and self.s.plain_article(index + 1):
            after = self._object(index)
        if after is not None and not self._names_person(index, after):
            return after
        return self._without_noun(index, nominal=kind in ("determiner", "prepositions"))

    def _names_person(self, index: int, after: int) -> bool:
        """Whether a participle with an article itself names a person, before an unknown word that
        is not surely a noun ("l'incaricata presta servizio")."""
        article = self.s.kind(index - 1) == "determiner" and self._role(index) == "person"
        return article and self.s.kind(after) == "unknown" and not self.s.surely_noun(after)

    def _object(self, index: int) -> int | None:
        """The object that follows its adjective after a verb ("mantenere valida la licenza")."""
        noun = self.s.skip(index + 2, 1, self.s.transparent)
        agrees = self.s.agree(index, index + 1) and self.s.kind(noun) in NOUNS
        return noun if agrees and self.s.agree(index, noun) else None

    def _before_thing(self, index: int) -> bool:
        """Whether a word after a comma precedes its noun ("brava cuoca, massima serietà")."""
        return (
            index > 0
            and self.s.tokens[index - 1].text == ","
            and self._role(index) != "person"
            and self.s.kind(index + 1) in ("thing", "unknown")
            and self.s.surely_noun(index + 1)
            and self.s.agree(index, index + 1)
        )

    def _role(self, index: int) -> str:
        reading = self.s.reading(index)
        return reading.entry.role if reading and reading.entry.kind == "quality" else "either"

    def skippable(self, place: int, index: int) -> bool:
        """Whether the word at `place` can stand between the adjective at `index` and its noun."""
        if self.s.transparent(place):
            return True
        if self.s.kind(place) == "quality":
            compound = self.s.tokens[place + 1].text == "/"  # "discipline tecnico/scientifiche"
            return compound or self.s.agree(place, index)
        joins = self.s.kind(place) == "conjunctions" or self.s.tokens[place].text in ",/"
        return joins and (
            self.s.kind(place - 1) in ("quality", "invariable") or self.s.adjectival(place - 1)
        )

    def noun_before(self, noun: int, index: int) -> int:
        """The nearest noun to the left that agrees, skipping nouns after a preposition."""
        nearest = noun
        while self.s.kind(noun) in NOUNS:
            if self.s.agree(noun, index):
                further = self.s.head_of(noun)
                if noun in self.people and self._of_stand_in(noun, index):
                    return NOBODY
                if (
                    noun not in self.people
                    and self._role(index) != "thing"
                    and further in self.people
                    and self.s.agree(further, index)
                ):
                    return self.doubt("two nouns that an adjective may belong to", noun)
                doubtful = self._role(index) == "person" or not self.s.surely_noun(noun)
                if noun not in self.people and doubtful and self._some_person_agrees(index):
                    why = f"{self.s.tokens[index].text!r} may describe a person"
                    surely = self.s.surely_noun(noun) or self._role(index) == "thing"
                    return self.doubt(why, noun if surely else IMPLIED)
                return noun
            further = self.s.head_of(noun)
            if further is None:
                break
            noun = further
        if self._role(index) == "thing" and nearest not in self.people:
            return NOBODY
        why = f"{self.s.tokens[index].text!r} agrees with no noun before it"
        return self.doubt(why, IMPLIED if self._role(index) == "person" else NOBODY)

    def _of_stand_in(self, noun: int, index: int) -> bool:
        """Whether a word agrees with the head noun of a title ("figura di barista svelta")."""
        head = self.s.head_of(noun)
        both = {cell[0] for cell in self.s.cells(noun)} == {"m", "f"}
        return both and head is not None and self._stands_in(head) and self.s.agree(head, index)

    def _some_person_agrees(self, index: int) -> bool:
        return any(self.s.agree(noun, index) for noun in self.people)

    def _subject(self, copula: int, index: int) -> int:
        light = ("adverbs", "clitics", "modals", "copulas")
        before = self.s.skip(copula - 1, -1, lambda i: self.s.kind(i) in light)
        infinitive = self.s.kind(copula) == "copulas_infinitive"
        if infinitive and not any(self.s.kind(i) == "modals" for i in range(before + 1, copula)):
            return self._sought(index) if self._role(index) != "thing" else NOBODY
        if self.s.kind(before) == "relatives":
            noun = self.s.skip(before - 1, -1, lambda i: self.s.kind(i) not in NOUNS)
            return self.noun_before(noun, index) if noun >= 0 else self._sought(index)
        subjects = self._free_nouns(before, index)
        if len(subjects) == 1:
            return subjects[0]
        if not subjects and (after := self._subject_after(index)) is not None:
            return after
        if not subjects and self._is_name(before):
            return self.doubt(f"{self.s.tokens[before].text!r} may be any name", NOBODY)
        if not subjects and self._role(index) == "person":
            return self._sought(index)
        if self._role(index) == "thing" and not set(subjects) & set(self.people):
            return NOBODY
        persons = [noun for noun in subjects if noun in self.people]
        guess = persons[-1] if persons else subjects[0] if subjects else IMPLIED
        return self.doubt(f"no clear subject for {self.s.tokens[index].text!r}", guess)

    def _is_name(self, index: int) -> bool:
        """Whether the word may be the name of a firm or a product, of any gender."""
        return self.s.kind(index) == "unknown" and self.s.tokens[index].text[0].isupper()

    def _subject_after(self, index: int) -> int | None:
        """A subject that follows its predicate ("è ammesso anche il lavoro da casa")."""
        article = self.s.skip(index + 1, 1, self.s.transparent)
        if self.s.kind(article) == "determiner" and self.s.agree(article, index):
            noun = self.s.skip(article + 1, 1, self.s.transparent)
            return noun if self.s.kind(noun) in NOUNS else None
        return self.s.noun_after(index)

    def _free_nouns(self, place: int, index: int) -> list[int]:
        """Nouns of the clause up to `place` that agree and follow no preposition."""
        start = self.s.skip(place, -1, lambda i: not self.s.ends_clause(i))
        return [
            i
            for i in range(start + 1, place + 1)
            if self.s.kind(i) in NOUNS and not self.s.governed(i) and self.s.agree(i, index)
        ]

    def _without_noun(self, index: int, nominal: bool) -> int:
        role = self._role(index)
        if role == "thing":
            if self._after_person(index):
                why = f"{self.s.tokens[index].text!r} may describe a person"
                return self.doubt(why, NOBODY)
            return NOBODY
        if role == "either":
            why = f"cannot tell whom {self.s.tokens[index].text!r} describes"
            return self.doubt(why, NOBODY if nominal else self._sought(index))
        if nominal:
            bare = self.s.kind(index - 1) == "prepositions"  # an adverb: "di sicuro"
            why = f"{self.s.tokens[index].text!r} stands for a noun"
            return self.doubt(why, NOBODY if bare else IMPLIED)
        things = [i for i in self._free_nouns(index - 1, index) if self.s.kind(i) == "thing"]
        if things and not self.is_of_class("only_people", index):
            why = f"{self.s.tokens[index].text!r} may describe {self.s.tokens[things[-1]].text!r}"
            return self.doubt(why, NOBODY)
        return self._sought(index)

    def is_of_class(self, name: str, index: int) -> bool:
        """Whether a class of adjectives in words.toml has the word at `index`."""
        reading = self.s.reading(index)
        return (
            reading is not None and reading.entry.forms.get("ms") in self.s.language.classes[name]
        )

    def _after_person(self, index: int) -> bool:
        """Whether a person named earlier in the clause agrees with the word."""
        return any(noun in self.people for noun in self._free_nouns(index - 1, index))

    def _sought(self, index: int) -> int:
        """The one person in the sentence that agrees; IMPLIED when nobody is named."""
        if any(self._stands_in(i) and self.s.agree(i, index) for i in range(len(self.s))):
            if self.people:
                why = f"cannot tell whom {self.s.tokens[index].text!r} describes"
                return self.doubt(why, NOBODY)
            return NOBODY
        # A person after a preposition is somebody else ("sarai affiancato da un tutor").
        named = [noun for noun in self.people if noun < index or not self.s.governed(noun)]
        if not named:
            if self._authors_speak() and not any(c[1] == "s" for c in self.s.cells(index)):
                why = f"{self.s.tokens[index].text!r} may describe the authors of the text"
                return self.doubt(why, NOBODY)
            free = self._free_nouns(index - 1, index)
            if any(self.s.kind(i) == "unknown" and len(self.s.tokens[i].text) > 1 for i in free):
                why = f"{self.s.tokens[index].text!r} may describe another word"
                return self.doubt(why, IMPLIED)
            return IMPLIED
        fitting = [noun for noun in sorted(named) if self.s.agree(noun, index)]
        if len(fitting) != 1:
            before = [noun for noun in fitting if noun < index]
            guess = before[-1] if before else fitting[0] if fitting else IMPLIED
            why = f"cannot tell which person {self.s.tokens[index].text!r} describes"
            return self.doubt(why, guess)
        return fitting[0]

    def _stands_in(self, index: int) -> bool:
        return self.s.tokens[index].lower in self.s.language.classes["stand_ins"]

    def _authors_speak(self) -> bool:
        shape = self.s.language.shapes["speakers"]
        return any(shape.match(token.lower) for token in self.s.tokens)
