"""What a language model is asked to write, and what is refused of what it wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from biasloop.domain.item import Item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.policy import Policy
from biasloop.domain.writing.prompt import Prompt


class WritingKind(StrEnum):
    """How a text comes to be."""

    WRITE = "write"
    """Anew, to a cell, beside examples."""
    PARAPHRASE = "paraphrase"
    """A parent in other words, with its labels."""
    ADD = "add"
    """The smallest edit that brings a label into a parent."""
    DROP = "drop"
    """The smallest edit that takes a label out of a parent."""


LLM = "llm:"
"""An operation that begins so is a language model's."""
EDITS = (WritingKind.ADD, WritingKind.DROP)


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in the corpus. `label` is what is short there; "" where nothing is asked for."""

    label: str
    sector: str = ""
    register: str = ""
    form: str = ""

    def __str__(self) -> str:
        return "/".join((self.label, self.sector, self.register, self.form)).rstrip("/")

    @classmethod
    def parse(cls, text: str) -> "Cell":
        """What `str` wrote."""
        return cls(*text.split("/"))


@dataclass(frozen=True, slots=True)
class CampaignBrief:
    """What a model is told of a campaign: its labels, each in a line, and its guideline."""

    scheme: Scheme
    definitions: Mapping[str, str]
    policy: Policy


@dataclass(frozen=True, slots=True)
class WritingMaterial:
    """What a plan is made from: `parents`, labelled train items that nobody made; `written`, the
    texts of language models that are in the pool; `errors` by label (see deficit); `turn`, how
    many texts were written or refused so far, so that no plan is like the one before."""

    parents: Sequence[tuple[Item, tuple[str, ...]]]
    written: Sequence[tuple[Item, tuple[str, ...]]]
    errors: Mapping[str, float]
    turn: int


@dataclass(frozen=True, slots=True)
class TextRequest:
    """One text to be written. `labels` are what it shall carry: they come from here and never
    from the answer. `parents` are the items in the prompt, the one to be rewritten first."""

    kind: WritingKind
    cell: Cell
    labels: tuple[str, ...]
    parents: tuple[Item, ...]
    prompt: Prompt
    version: str
    """Of the prompt's template and words."""

    @property
    def operation(self) -> str:
        """How the item came to be, as its provenance says: "llm:write:age/retail@1f2e3d4c"."""
        return f"{LLM}{self.kind}:{self.cell}@{self.version}"


def cell_of(operation: str) -> Cell | None:
    """The cell that an operation of a language model names; None for other operations."""
    if not operation.startswith(LLM):
        return None
    return Cell.parse(operation.split(":", 2)[2].rpartition("@")[0])


class RefusalReason(StrEnum):
    """Why a text is refused, in the order in which it is looked at."""

    INJECTION = "injection"
    """The parent talks the model out of its task; nothing was written from it."""
    NO_ANSWER = "no_answer"
    SCHEMA = "schema"
    META_TALK = "meta_talk"
    LENGTH = "length"
    LANGUAGE = "language"
    EDIT = "edit_too_large"
    LEAK = "leak"
    """Nearly the text of an audit item."""
    NEAR_DUPLICATE = "near_duplicate"
    BOILERPLATE = "boilerplate"
    LABEL = "label_not_confirmed"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A text that stays out of the pool, and why. `detail` says more for people."""

    text: str
    reason: RefusalReason
    detail: str
    operation: str
    labels: tuple[str, ...]
    parents: tuple[str, ...]
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SyntheticItem:
    """A synthetic item and its labels; `extra` is kept with them (a judge's reason …)."""

    item: Item
    labels: tuple[str, ...]
    source: LabelSource
    extra: Mapping[str, Any] = field(default_factory=dict)
