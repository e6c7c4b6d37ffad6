"""The label scheme of a campaign, and label matrices."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

MISSING = -1
"""In a label matrix: the annotator was not asked about this label."""

Labels = NDArray[np.int8]
"""A label matrix, shape (n, k): 1 yes, 0 no, -1 not asked."""


class LabelSource(StrEnum):
    """Where a label comes from. Labels from different sources are never mixed."""

    HUMAN = "human"
    SEED = "seed"
    CONSTRUCTED = "constructed"
    """Follows from the edit that made a counterfactual."""
    LLM = "llm"
    GOLD = "gold"
    """The known answer of a gold item; nothing learns from it."""


class AsideReason(StrEnum):
    """Why an annotation is set aside and does not count."""

    EMPTY = "nothing chosen"
    CONTRADICTORY = "the negative label together with another"
    UNKNOWN_LABEL = "a label outside the scheme"
    SEVERAL = "several labels in a single-label scheme"
    BAD_SPAN = "a marked span that is not in the text"
    DUPLICATE = "a second answer by the same person"
    OVER = "more votes than were asked for"
    OLDER_POLICY = "given under an older guideline"
    ASKED_AGAIN = "given under an older guideline, asked again"

    @property
    def fixable(self) -> bool:
        """Whether the annotator can still correct the annotation, so that it becomes a vote."""
        final = (AsideReason.DUPLICATE, AsideReason.OVER, AsideReason.OLDER_POLICY)
        return self not in final


BY_POLICY = (AsideReason.OLDER_POLICY, AsideReason.ASKED_AGAIN)
"""Reasons that apply to a valid vote once the guideline has changed."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The labels of a campaign.

    `labels` are the k classes, without `none_label`, in the order of every matrix column.
    In a multi-label scheme `none_label` names the explicit negative: chosen alone it means all
    zeros. A single-label scheme has no `none_label`; exactly one class is chosen.
    """

    labels: tuple[str, ...]
    multi: bool
    none_label: str | None = None

    @property
    def id(self) -> str:
        """A hash of the content, by which annotations refer to the scheme they were made under."""
        parts = (*self.labels, str(self.multi), self.none_label or "")
        return blake2b("\x1f".join(parts).encode(), digest_size=6).hexdigest()

    @property
    def choices(self) -> tuple[str, ...]:
        """Everything that an annotator can choose; the negative comes last."""
        return self.labels if self.none_label is None else (*self.labels, self.none_label)

    def reason_to_set_aside(self, chosen: Collection[str]) -> AsideReason | None:
        """Why a choice of labels must be set aside; None if it counts."""
        if not chosen:
            return AsideReason.EMPTY
        if not set(chosen) <= set(self.choices):
            return AsideReason.UNKNOWN_LABEL
        if self.none_label in chosen and len(set(chosen)) > 1:
            return AsideReason.CONTRADICTORY
        if not self.multi and len(set(chosen)) > 1:
            return AsideReason.SEVERAL
        return None

    def encode(
        self, rows: Sequence[Iterable[str]], asked: Sequence[Iterable[str]] | None = None
    ) -> Labels:
        """The label matrix (n, k) of n rows of chosen labels.

        `asked[i]` are the labels that row i was asked about (None: all); other labels of the
        scheme are MISSING in that row. Unknown labels are ignored: they belong to an older scheme.
        """
        column = {label: j for j, label in enumerate(self.labels)}
        matrix = np.zeros((len(rows), len(self.labels)), dtype=np.int8)
        if asked is not None:
            matrix[:] = MISSING
            for i, names in enumerate(asked):
                matrix[i, [column[name] for name in names if name in column]] = 0
        for i, names in enumerate(rows):
            matrix[i, [column[name] for name in names if name in column]] = 1
        return matrix

    def decode(self, row: Sequence[int] | NDArray[np.integer]) -> list[str]:
        """The labels that are 1 in a row (k,), or [none_label] if there are none."""
        names = [label for label, value in zip(self.labels, row, strict=True) if value == 1]
        return names if names or self.none_label is None else [self.none_label]
