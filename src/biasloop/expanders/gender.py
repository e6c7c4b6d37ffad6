"""Versions of a sentence that differ in the gender of the people it names."""

from collections.abc import Iterator, Sequence

from biasloop.expanders import inflect
from biasloop.expanders.analysis import Analysis, Mention, analyse
from biasloop.expanders.draft import Draft
from biasloop.expanders.labels import LabelNames
from biasloop.expanders.language import Entry, Language
from biasloop.expanders.sentence import Unsure
from biasloop.expanders.tokens import Token

GENDERED = {"masculine": "m", "feminine": "f"}
OPEN = ("schwa", "asterisk")
_NOWHERE = -1
FORMS = (*GENDERED, "paired", "double", "neutral", "abbreviated", *OPEN)


def gender_versions(
    text: str, labels: Sequence[str], language: Language, names: LabelNames
) -> Iterator[Draft]:
    """All versions of a labelled sentence that the language allows.

    None when a person of the sentence is not understood, or when what is understood contradicts
    the labels.
    """
    try:
        analysis = analyse(text, language)
        people = _people(analysis, labels, names)
    except Unsure:
        return
    genders = {m.gender for m in people}
    for form in FORMS:
        if genders == {GENDERED.get(form, "paired" if form in FORMS[2:] else "")}:
            continue
        if genders == {""} and form not in GENDERED:
            continue
        try:
            made, place = _Writer(text, analysis, people, form, names.sought in labels).write()
        except Unsure:
            continue
        if made != text:
            kept = _labels_after(form, labels, people, names)
            shown = f"open:{form}" if form in OPEN else form
            yield Draft(made, kept, f"gender:{shown}@{place}")


def _labels_after(
    form: str, labels: Sequence[str], people: Sequence[Mention], names: LabelNames
) -> tuple[str, ...]:
    if form not in GENDERED:
        return names.without(labels, names.sought, names.others)
    if names.sought in labels or names.others in labels:
        return tuple(labels)
    roles = {names.others if m.role == "other" else names.sought for m in people}
    return names.plus(labels, *roles)


def _people(analysis: Analysis, labels: Sequence[str], names: LabelNames) -> list[Mention]:
    """The mentions to rewrite. Raises Unsure when they contradict the labels."""
    sought, others = names.sought in labels, names.others in labels
    gendered = [m for m in analysis.mentions if _gendered(analysis, m)]
    faint = [m for m in analysis.mentions if m.role == "any" and _only_determiner(analysis, m)]
    roles = {m.role for m in gendered}
    if not (sought or others):
        if [m for m in gendered if m not in faint]:
            raise Unsure("a gendered person, but no such label")
        return _paired_people(analysis, faint)
    if faint and (others or len(gendered) > 1):
        raise Unsure("an article whose person may be another")
    if not gendered or (not others and "other" in roles) or (not sought and "sought" in roles):
        raise Unsure("the labels say otherwise")
    if sought and others and len(gendered) < 2:
        raise Unsure("two labels, one person")
    return [*gendered, *(m for m in analysis.mentions if m not in gendered and _pair(analysis, m))]


def _paired_people(analysis: Analysis, faint: Sequence[Mention]) -> list[Mention]:
    people = [m for m in analysis.mentions if _pair(analysis, m)]
    if not people or faint:
        raise Unsure("nobody to rewrite")
    if any(m.role == "any" and not _is_sought(analysis, m) for m in people):
        raise Unsure("the person may be another than the one sought")
    return people


def _pair(analysis: Analysis, mention: Mention) -> bool:
    return not mention.gender and analysis.paired(mention)


def _is_sought(analysis: Analysis, mention: Mention) -> bool:
    """Whether the sentence begins with this person or says that it seeks somebody."""
    cues = analysis.sentence.language.classes["seeking"]
    first = min(mention.words)
    return first == 0 or any(t.lower in cues for t in analysis.sentence.tokens[:first])


def _gendered(analysis: Analysis, mention: Mention) -> bool:
    """Whether the mention names one gender. Of others an article alone does not count."""
    marked = [i for i in mention.words if analysis.marked(mention, i)]
    if mention.gender and not mention.number:
        raise Unsure("one or several?")
    if mention.role == "other":
        return any(analysis.sentence.kind(i) != "determiner" for i in marked)
    return bool(marked)


def _only_determiner(analysis: Analysis, mention: Mention) -> bool:
    marked = [i for i in mention.words if analysis.marked(mention, i)]
    return bool(marked) and all(analysis.sentence.kind(i) == "determiner" for i in marked)


class _Writer:
    """Writes one version: every word of the mentions in its new form, the rest as it was."""

    def __init__(
        self, text: str, analysis: Analysis, people: Sequence[Mention], form: str, sought: bool
    ) -> None:
        self.text, self.analysis, self.people = text, analysis, people
        self.form, self.sought, self.lang = form, sought, analysis.sentence.language
        self.tokens = analysis.sentence.tokens
        self.new: dict[int, str] = {}
        self.title = _NOWHERE

    def write(self) -> tuple[str, int]:
        """The text and the place of its first change. Raises Unsure when there is no such form."""
        for mention in self.people:
            self._check(mention)
            for index in sorted(mention.words, reverse=True):  # a determiner needs what follows
                self.new[index] = self._word(mention, index)
        changed = [i for i, word in self.new.items() if word != self.tokens[i].text]
        if not changed:
            raise Unsure("nothing changes")
        return self._joined(), self.tokens[min(changed)].start

    def _word(self, mention: Mention, index: int) -> str:
        reading, token = self.analysis.sentence.reading(index), self.tokens[index]
        if reading is None:
            raise Unsure(f"no forms of {token.text!r}")
        number = mention.number
        if reading.entry.kind == "determiner":
            made = self._determiner(mention, index)
        elif self.form in GENDERED:
            made = reading.entry.forms[GENDERED[self.form] + number]
        elif self.form == "paired":
            made = inflect.paired(reading.entry, number, self.lang)
        elif self.form in OPEN:
            made = inflect.open_ending(reading.entry, number, self.form, self.lang)
        elif self.form == "neutral":
            made = self._neutral(mention, index)
        elif self.form == "abbreviated":
            return f"{token.text} {self.lang.joining['abbreviation']}"
        else:
            made = self._double(mention, index)
        return inflect.like(token.text, made, self._shouting(index))

    def _determiner(self, mention: Mention, index: int) -> str:
        entry = self._entry(index)
        following, number = self._after(index), mention.number
        if self.form == "abbreviated":
            return self.tokens[index].lower
        if self.form == "paired":
            made = inflect.paired_determiner(entry, number, following, self.lang)
        elif self.form in OPEN:
            made = inflect.open_determiner(entry, number, following, self.form, self.lang)
        else:
            gender = {"double": "f", "neutral": self.lang.neutral["gender"]}.get(self.form)
            cell = (gender or GENDERED[self.form]) + number
            made = inflect.determiner(entry, cell, following, self.lang)
        if made is None:
            raise Unsure("no such determiner")
        return made

    def _double(self, mention: Mention, index: int) -> str:
        """ "le cuoche e i cuochi", "una cuoca o un cuoco": the determiner is repeated."""
        entry, number = self._entry(index), mention.number
        first, second = entry.forms["f" + number], entry.forms["m" + number]
        if first == second:
            raise Unsure("the noun has one form for both")
        word = self.lang.joining["and" if number == "p" else "or"]
        repeated = ""
        if index > 0 and index - 1 in mention.words:
            found = inflect.determiner(self._entry(index - 1), "m" + number, second, self.lang)
            if found is None:
                raise Unsure("no such determiner")
            repeated = found if found.endswith("'") else found + " "
        return f"{first} {word} {repeated}{second}"

    def _neutral(self, mention: Mention, index: int) -> str:
        entry, number = self._entry(index), mention.number
        if index != mention.noun:
            return entry.forms[self.lang.neutral["gender"] + number]
        if phrase := entry.neutral.get(number, ""):
            return phrase
        if number == "p" or not entry.epicene(number):
            raise Unsure("no neutral phrase")
        self.title = 1 + min(i for i in mention.words if i < index)
        return self.tokens[index].text

    def _check(self, mention: Mention) -> None:
        """Refuses forms that need a phrase of noun and determiner only."""
        if mention.noun is None:
            if self.form in ("double", "neutral", "abbreviated"):
                raise Unsure("no noun")
            return
        around = {mention.noun, *(i for i in mention.words if self._is_determiner(i))}
        narrow = self.form in ("double", "abbreviated")
        if self.form == "abbreviated" and not self.sought:
            raise Unsure("only of the person sought")
        if narrow and (set(mention.words) != around or len(self.people) > 1):
            raise Unsure("other words agree")
        if self.form == "neutral" and (mention.noun + 1 in mention.words):
            raise Unsure("an adjective on the noun")

    def _is_determiner(self, index: int) -> bool:
        return self.analysis.sentence.kind(index) == "determiner"

    def _entry(self, index: int) -> Entry:
        reading = self.analysis.sentence.reading(index)
        if reading is None:
            raise Unsure("no forms")
        return reading.entry

    def _after(self, index: int) -> str:
        after = index + 1
        if after == self.title:
            return self.lang.neutral["title"]
        return self.new.get(after, self.tokens[after].text) if after < len(self.tokens) else ""

    def _shouting(self, index: int) -> bool:
        around: Sequence[Token] = self.tokens[index + 1 : index + 2]
        return any(len(token.text) > 1 and token.text.isupper() for token in around)

    def _joined(self) -> str:
        parts: list[str] = []
        end = 0
        for index, token in enumerate(self.tokens):
            gap = self.text[end : token.start]
            if index - 1 in self.new and self._is_determiner(index - 1):
                gap = "" if parts[-1].endswith(("'", "’")) else gap or " "
            new = self.new.get(index, token.text)
            if index == self.title:
                new = self.lang.neutral["title"].format(new)
            parts += [gap, new.replace("'", "’") if "’" in self.text else new]
            end = token.end
        return "".join(parts) + self.text[end:]
