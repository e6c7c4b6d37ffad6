"""The label scheme of a campaign, and label matrices."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = -1
"""In a label matrix: the annotator was not asked about this label."""

Labels = NDArray[np.int8]
"""A label matrix, shape (n, k): 1 yes, 0 no, -1 not asked."""


class LabelSource(StrEnum):
    """Where a label comes from. Labels from different sources are never mixed."""

    HUMAN = "human"
    ADJUDICATED = "adjudicated"
    """Decided by a named person who saw the votes; outweighs them."""
    SEED = "seed"
    CONSTRUCTED = "constructed"
    """Follows from the edit that made a counterfactual."""
    LLM = "llm"
    GOLD = "gold"
    """The known answer of a gold item; nothing learns from it."""


MACHINE = "machine"
"""What exports call the source of labels that a model gave at a stated risk. It is not a
LabelSource: such labels are in no ledger, nothing learns from them, and no figure counts them."""

BY_PEOPLE = (LabelSource.HUMAN, LabelSource.ADJUDICATED)
"""Sources of labels that people gave to an item of a batch: what audit and gain are measured on."""

EVIDENCE = (*BY_PEOPLE, LabelSource.SEED)
"""Sources of labels that are evidence for or against a model: a person chose them for that text."""


class AsideReason(StrEnum):
    """Why an annotation is set aside and does not count."""

    EMPTY = "nothing chosen"
    CONTRADICTORY = "the negative label together with another"
    UNKNOWN_LABEL = "a label outside the scheme"
    SEVERAL = "several labels in a single-label scheme"
    DUPLICATE = "a second answer by the same person"
    OVER = "more votes than were asked for"
    PREDICTION = "a prediction made into an answer that nobody looked at"
    NOT_BY_A_PERSON = "imported or sent by a program, not answered by a person"
    OTHER_ITEM = "its task names another item in Label Studio than the one that was sent"
    OTHER_TEXT = (
        "its task shows another text in Label Studio than the one that was sent; "
        "put the sent text back, and submit the answer again"
    )
    SECOND_TASK = "on a task that was not sent, next to the one of this item"
    OLDER_POLICY = "given under an older guideline"
    ASKED_AGAIN = "given under an older guideline, asked again"


SLIPS = (AsideReason.EMPTY, AsideReason.CONTRADICTORY, AsideReason.SEVERAL)
"""Reasons for which the author is asked again, once for each item. What is not in this list is
never deleted in Label Studio for what it says."""

BY_POLICY = (AsideReason.OLDER_POLICY, AsideReason.ASKED_AGAIN)
"""Reasons that apply to a valid vote once the guideline has changed."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The labels of a campaign.

    `labels` are the k classes, without `none_label`, in the order of every matrix column.
    In a multi-label scheme `none_label` names the explicit negative: chosen alone it means all
    zeros. A single-label scheme has no `none_label`; exactly one class is chosen.

    `renamed` holds the present name of each former one. Votes, models and files that were made
    under a former name are read under the present one.
    """

    labels: tuple[str, ...]
    multi: bool
    none_label: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def id(self) -> str:
        """A hash of the content, by which annotations refer to the scheme they were made under."""
        parts = (*self.labels, str(self.multi), self.none_label or "")
        return blake2b("\x1f".join(parts).encode(), digest_size=6).hexdigest()

    @property
    def choices(self) -> tuple[str, ...]:
        """Everything that an annotator can choose; the negative comes last."""
        return self.labels if self.none_label is None else (*self.labels, self.none_label)

    @property
    def blank_means_none(self) -> bool:
        """Whether choosing nothing is the only way to say that no label fits."""
        return self.multi and self.none_label is None

    def current_name(self, name: str) -> str:
        """The present name of a label; a name that was never changed, known or not, stays."""
        return self.renamed.get(name, name)

    def rename(self, old: str, new: str) -> "Scheme":
        """The scheme after a label, or the negative, got a new name.

        Raises ValueError if there is no `old`, or `new` is or was the name of another label.
        """
        if old not in self.choices:
            raise ValueError(f"no label {old}; the labels are: {', '.join(self.choices)}")
        if new in self.choices or self.renamed.get(new, old) != old:
            raise ValueError(f"{new} is, or was, the name of another label; choose a new name")
        former = {
            name: new if present == old else present for name, present in self.renamed.items()
        } | {old: new}
        former.pop(new, None)
        return Scheme(
            tuple(new if label == old else label for label in self.labels),
            self.multi,
            new if self.none_label == old else self.none_label,
            former,
        )

    def current_choices(self, chosen: Iterable[str]) -> tuple[str, ...]:
        """The chosen labels by their present names, without those that the scheme lacks now."""
        names = map(self.current_name, chosen)
        return tuple(name for name in names if name in self.choices)

    def is_vote_for_nothing(self, chosen: Collection[str]) -> bool:
        """Whether a choice names no label of the scheme of today, and so says nothing under it.

        In a multi-label scheme an empty choice says no to every label.
        """
        return not self.current_choices(chosen) and (bool(chosen) or not self.multi)

    def known_labels(self, names: Iterable[str]) -> tuple[str, ...]:
        """The labels of the scheme among these names, which may be former ones, in its order."""
        known = {self.current_name(name) for name in names}
        return tuple(label for label in self.labels if label in known)

    def align(self, values: NDArray[Any], names: Sequence[str], missing: Any) -> NDArray[Any]:
        """Values (…, k) for the labels of the scheme, from values (…, n) that hold one for each of
        `names`, the labels of the day when they were made.

        This is the only place that converts values between lists of labels, by name: a label
        that is not among the names has the value `missing`, and a name without a label is left out.
        """
        column = {self.current_name(name): j for j, name in enumerate(names)}
        aligned = np.full((*values.shape[:-1], len(self.labels)), missing, values.dtype)
        for j, label in enumerate(self.labels):
            if label in column:
                aligned[..., j] = values[..., column[label]]
        return aligned

    def reason_to_set_aside(self, chosen: Collection[str]) -> AsideReason | None:
        """Why a choice of labels must be set aside; None if it counts."""
        chosen = {self.current_name(name) for name in chosen}
        if not chosen:
            return AsideReason.EMPTY
        if not chosen <= set(self.choices):
            return AsideReason.UNKNOWN_LABEL
        if self.none_label in chosen and len(chosen) > 1:
            return AsideReason.CONTRADICTORY
        if not self.multi and len(chosen) > 1:
            return AsideReason.SEVERAL
        return None

    def encode(
        self, rows: Sequence[Iterable[str]], asked: Sequence[Iterable[str]] | None = None
    ) -> Labels:
        """The label matrix (n, k) of n rows of chosen labels.

        `asked[i]` are the labels that row i was asked about (None: all); other labels of the
        scheme are MISSING in that row. A row that names labels but none of the scheme of today is
        MISSING altogether; of other rows, only the labels of the scheme count.
        """
        column = {label: j for j, label in enumerate(self.labels)}

        @cache  # most rows name the same labels as others
        def columns_of(names: tuple[str, ...]) -> list[int]:
            return [column[name] for name in self.current_choices(names) if name in column]

        matrix = np.zeros((len(rows), len(self.labels)), dtype=np.int8)
        if asked is not None:
            matrix[:] = MISSING
            for i, names in enumerate(map(tuple, asked)):
                matrix[i, columns_of(names)] = 0
        for i, chosen in enumerate(map(tuple, rows)):
            matrix[i, columns_of(chosen)] = 1
            if chosen and not self.current_choices(chosen):
                matrix[i] = MISSING
        return matrix

    def decode(self, row: Sequence[int] | NDArray[np.integer]) -> list[str]:
        """The labels that are 1 in a row (k,), or [none_label] if there are none."""
        names = [label for label, value in zip(self.labels, row, strict=True) if value == 1]
        return names if names or self.none_label is None else [self.none_label]
