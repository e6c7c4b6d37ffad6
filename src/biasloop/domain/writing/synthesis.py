"""Requests for texts by a language model, and the accepted and refused texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from biasloop.domain.item import Item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.policy import Policy
from biasloop.domain.writing.prompt import Prompt


class WritingKind(StrEnum):
    """How a text is made."""

    WRITE = "write"
    """A new text for a cell, given examples."""
    PARAPHRASE = "paraphrase"
    """A parent in other words; its labels stay the same."""
    ADD = "add"
    """The smallest edit of a parent that adds a label."""
    DROP = "drop"
    """The smallest edit of a parent that removes a label."""


LLM_PREFIX = "llm:"
"""Prefix of the operation of an item that a language model wrote."""
EDITS = (WritingKind.ADD, WritingKind.DROP)


@dataclass(frozen=True, slots=True)
class Cell:
    """A combination of a label with a sector, register and form; "" where one is not specified."""

    label: str
    sector: str = ""
    register: str = ""
    form: str = ""

    def __str__(self) -> str:
        return "/".join((self.label, self.sector, self.register, self.form)).rstrip("/")

    @classmethod
    def parse(cls, text: str) -> "Cell":
        """From the result of `str`."""
        return cls(*text.split("/"))


@dataclass(frozen=True, slots=True)
class CampaignBrief:
    """What a language model is told about a campaign: its labels, a one-line definition of each,
    and its policy."""

    scheme: Scheme
    definitions: Mapping[str, str]
    policy: Policy


@dataclass(frozen=True, slots=True)
class WritingMaterial:
    """What a plan of requests is based on.

    `parents` are labelled train items that are not synthetic, `written` the texts of language
    models in the pool; both with their labels. `errors` is by label (see `deficit`). `turn` is the
    number of texts written or refused so far; it makes each plan differ from the previous one.
    """

    parents: Sequence[tuple[Item, tuple[str, ...]]]
    written: Sequence[tuple[Item, tuple[str, ...]]]
    errors: Mapping[str, float]
    turn: int


@dataclass(frozen=True, slots=True)
class TextRequest:
    """A request for one text.

    `labels` are the labels that the text should have; they are never taken from the answer.
    `parents` are the items in the prompt, with the one to rewrite first. `version` is that of the
    prompt's template and wording.
    """

    kind: WritingKind
    cell: Cell
    labels: tuple[str, ...]
    parents: tuple[Item, ...]
    prompt: Prompt
    version: str

    @property
    def operation(self) -> str:
        """The operation of the resulting item, e.g. "llm:write:age/retail@1f2e3d4c"."""
        return f"{LLM_PREFIX}{self.kind}:{self.cell}@{self.version}"


def cell_of(operation: str) -> Cell | None:
    """The cell in the operation of an item that a language model wrote; None for other items."""
    if not operation.startswith(LLM_PREFIX):
        return None
    return Cell.parse(operation.split(":", 2)[2].rpartition("@")[0])


class RefusalReason(StrEnum):
    """Why a text is refused, in the order of the checks."""

    INJECTION = "injection"
    """The parent contains instructions to the model, so no text was requested."""
    NO_ANSWER = "no_answer"
    SCHEMA = "schema"
    META_TALK = "meta_talk"
    LENGTH = "length"
    LANGUAGE = "language"
    EDIT = "edit_too_large"
    LEAK = "leak"
    """A near-duplicate of an audit item."""
    NEAR_DUPLICATE = "near_duplicate"
    BOILERPLATE = "boilerplate"
    LABEL = "label_not_confirmed"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A text that is kept out of the pool, and why; `detail` explains the reason to users."""

    text: str
    reason: RefusalReason
    detail: str
    operation: str
    labels: tuple[str, ...]
    parents: tuple[str, ...]
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SyntheticItem:
    """A synthetic item and its labels; `extra` is stored with them, e.g. the judge's reason."""

    item: Item
    labels: tuple[str, ...]
    source: LabelSource
    extra: Mapping[str, Any] = field(default_factory=dict)
