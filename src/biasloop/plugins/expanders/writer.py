"""Rewrites a sentence with its people in another form."""

from collections.abc import Sequence

from biasloop.plugins.expanders import inflect
from biasloop.plugins.language.data import CELLS, Entry
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.sentence import VERBAL, Unsure

GENDERED = {"masculine": "m", "feminine": "f"}
OPEN = ("schwa", "asterisk")
_CAN_FOLLOW_PHRASE = VERBAL | {"mark", "end", "prepositions", "determiner", "relatives"}
_NO_TITLE = -1
FORMS = (*GENDERED, "paired", "double", "neutral", "abbreviated", *OPEN)


def write(
    text: str, analysis: Analysis, people: Sequence[Mention], form: str, sought: bool
) -> tuple[str, int]:
    """The text with `people` in `form` (one of FORMS), and the place of its first change.

    `sought` says whether the person sought is one of them. Raises Unsure when there is no such
    form.
    """
    return _Writer(text, analysis, people, form, sought).write()


class _Writer:
    """Writes one version: every word of the mentions in its new form, the rest as it was."""

    def __init__(
        self, text: str, analysis: Analysis, people: Sequence[Mention], form: str, sought: bool
    ) -> None:
        self.text, self.analysis, self.people = text, analysis, people
        self.form, self.sought, self.lang = form, sought, analysis.sentence.language
        self.tokens = analysis.sentence.tokens
        self.new_words: dict[int, str] = {}
        self.title = _NO_TITLE

    def write(self) -> tuple[str, int]:
        """The text and the place of its first change. Raises Unsure when there is no such form."""
        for mention in self.people:
            self._check(mention)
            # From right to left: the form of a determiner depends on the next word.
            for index in sorted(mention.words, reverse=True):
                self.new_words[index] = self._word(mention, index)
        changed = [i for i, word in self.new_words.items() if word != self.tokens[i].text]
        if not changed:
            raise Unsure("nothing changes")
        return self._joined(), self.tokens[min(changed)].start

    def _word(self, mention: Mention, index: int) -> str:
        reading, token = self.analysis.sentence.reading(index), self.tokens[index]
        if reading is None:
            raise Unsure(f"no forms of {token.text!r}")
        number = mention.number
        if reading.entry.kind == "determiner":
            new = self._determiner(mention, index)
        elif len(reading.entry.forms) < len(CELLS):
            raise Unsure(f"{token.text!r} has no forms for both genders")
        elif self.form in GENDERED:
            new = reading.entry.forms[GENDERED[self.form] + number]
        elif self.form == "paired":
            new = inflect.paired(reading.entry, number, self.lang)
        elif self.form in OPEN:
            new = inflect.open_ending(reading.entry, number, self.form, self.lang)
        elif self.form == "neutral":
            new = self._neutral(mention, index)
        elif self.form == "abbreviated":
            new = f"{token.text} {self.lang.joining['abbreviation']}"
        else:
            new = self._double(mention, index)
        return inflect.match_case(token.text, new, self._uppercase_after(index))

    def _determiner(self, mention: Mention, index: int) -> str:
        entry = self._entry(index)
        following, number = self._next_word(index), mention.number
        if self.form == "abbreviated":
            return self.tokens[index].lower
        if self.form == "paired":
            new = inflect.paired_determiner(entry, number, following, self.lang)
        elif self.form in OPEN:
            new = inflect.open_determiner(entry, number, following, self.form, self.lang)
        else:
            gender = {"double": "f", "neutral": self.lang.neutral["gender"]}.get(self.form)
            cell = (gender or GENDERED[self.form]) + number
            new = inflect.determiner(entry, cell, following, self.lang)
        if new is None:
            raise Unsure("no such determiner")
        return new

    def _double(self, mention: Mention, index: int) -> str:
        """ "le cuoche e i cuochi", "una cuoca o un cuoco": the determiner is repeated."""
        entry, number = self._entry(index), mention.number
        first, second = entry.forms["f" + number], entry.forms["m" + number]
        if first == second:
            raise Unsure("the noun has one form for both")
        word = self.lang.joining["and" if number == "p" else "or"]
        repeated = ""
        if index > 0 and index - 1 in mention.words:
            determiner = inflect.determiner(self._entry(index - 1), "m" + number, second, self.lang)
            if determiner is None:
                raise Unsure("no such determiner")
            repeated = determiner if determiner.endswith("'") else determiner + " "
        if self.tokens[index].text.istitle() and index > 0:
            second = inflect.match_case(self.tokens[index].text, second)
        return f"{first} {word} {repeated}{second}"

    def _neutral(self, mention: Mention, index: int) -> str:
        entry, number = self._entry(index), mention.number
        if index != mention.noun:
            return entry.forms[self.lang.neutral["gender"] + number]
        if phrase := entry.neutral.get(number, ""):
            return phrase
        if number == "p" or not entry.epicene(number):
            raise Unsure("no neutral phrase")
        before = [i for i in mention.words if i < index]
        if len(before) != 1 or not self._is_determiner(before[0]):
            raise Unsure("no plain article to begin the phrase with")
        self.title = 1 + before[0]
        return self.tokens[index].text

    def _check(self, mention: Mention) -> None:
        """Raises Unsure for two slashes in a row ("cuoco/a/pizzaiolo/a"), and for forms that need
        a phrase of noun and determiner only."""
        if self.form not in (*GENDERED, *OPEN) and any(map(self._at_slash, mention.words)):
            raise Unsure("a slash next to the person")
        if self.form not in ("double", "neutral", "abbreviated"):
            return
        if mention.noun is None:
            raise Unsure("no noun")
        if self.form == "neutral":
            if mention.noun + 1 in mention.words:
                raise Unsure("an adjective on the noun")
            return
        phrase = {mention.noun, *(i for i in mention.words if self._is_determiner(i))}
        sentence = self.analysis.sentence
        if set(mention.words) != phrase or len(self.people) > 1:
            raise Unsure("other words agree")
        if self.form == "double" and sentence.kind(mention.noun - 1) == "number":
            raise Unsure("two of each, or two in all?")
        if self.form == "abbreviated" and not (
            self.sought
            and mention.gender == "m"
            and not self.tokens[mention.noun].paired
            and sentence.kind(mention.noun + 1) in _CAN_FOLLOW_PHRASE
        ):
            raise Unsure("no place for an abbreviation")

    def _at_slash(self, index: int) -> bool:
        around = (*self.tokens[max(index - 1, 0) : index], *self.tokens[index + 1 : index + 2])
        return any(token.text == self.lang.joining["pair"] for token in around)

    def _is_determiner(self, index: int) -> bool:
        return self.analysis.sentence.kind(index) == "determiner"

    def _entry(self, index: int) -> Entry:
        reading = self.analysis.sentence.reading(index)
        if reading is None:
            raise Unsure("no forms")
        return reading.entry

    def _next_word(self, index: int) -> str:
        after = index + 1
        if after == self.title:
            return self.lang.neutral["title"]
        return (
            self.new_words.get(after, self.tokens[after].text) if after < len(self.tokens) else ""
        )

    def _uppercase_after(self, index: int) -> bool:
        around = self.tokens[index + 1 : index + 2]
        return any(len(token.text) > 1 and token.text.isupper() for token in around)

    def _joined(self) -> str:
        parts: list[str] = []
        end = 0
        for index, token in enumerate(self.tokens):
            gap = self.text[end : token.start]
            if index - 1 in self.new_words and self._is_determiner(index - 1):
                gap = "" if parts[-1].endswith(("'", "’")) else gap or " "
            new = self.new_words.get(index, token.text)
            if index == self.title:
                new = self.lang.neutral["title"].format(new)
            if index in self.new_words and "’" in self.text:
                new = new.replace("'", "’")
            parts += [gap, new]
            end = token.end
        return "".join(parts) + self.text[end:]
