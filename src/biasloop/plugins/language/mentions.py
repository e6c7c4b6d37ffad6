"""The people in a sentence."""

from dataclasses import dataclass, field

from biasloop.plugins.language.data import CELLS, Cell
from biasloop.plugins.language.sentence import Sentence


@dataclass(slots=True)
class Mention:
    """A person in the sentence: the positions of the words that agree, and their common cells.

    `noun` is None when no noun names the person. `both` says that the person is named in both
    genders, by two words ("la cuoca o il cuoco") or by a sign ("cuoco m/f").
    """

    noun: int | None
    words: list[int] = field(default_factory=list)
    cells: frozenset[Cell] = frozenset(CELLS)
    role: str = "sought"
    both: bool = False

    @property
    def number(self) -> str:
        """ "s" or "p"; "" while both are possible."""
        numbers = {cell[1] for cell in self.cells}
        return numbers.pop() if len(numbers) == 1 else ""

    @property
    def gender(self) -> str:
        """ "m" or "f"; "" while both are possible."""
        genders = {cell[0] for cell in self.cells}
        return genders.pop() if len(genders) == 1 else ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A sentence that was read, and the people in it."""

    sentence: Sentence
    mentions: tuple[Mention, ...]

    def marked(self, mention: Mention, index: int) -> bool:
        """Whether this word of the mention names one gender only."""
        if mention.both or self.sentence.tokens[index].paired or not mention.number:
            return False
        cells = {c for c in self.sentence.cells(index) if c[1] == mention.number}
        return len(cells) == 1

    def paired(self, mention: Mention) -> bool:
        """Whether some word of the mention already names both genders."""
        return mention.both or any(self.sentence.tokens[index].paired for index in mention.words)
