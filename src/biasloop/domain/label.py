"""What can be said about an item, and what one annotation says."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

MISSING = -1
"""In a label matrix: this label was not asked about."""

Labels = NDArray[np.int8]
"""A label matrix, shape (n, k): 1 yes, 0 no, -1 not asked."""


class LabelSource(StrEnum):
    """Who says so. Sources are never mixed up and never counted as each other."""

    HUMAN = "human"
    SEED = "seed"
    CONSTRUCTED = "constructed"
    """Follows from how a counterfactual was made."""
    LLM = "llm"
    GOLD = "gold"
    """The known answer of a gold item; it labels nothing."""


class AsideReason(StrEnum):
    """Why an annotation does not count."""

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
    def mendable(self) -> bool:
        """Whether the person who answered can still make a vote of it."""
        final = (AsideReason.DUPLICATE, AsideReason.OVER, AsideReason.OLDER_POLICY)
        return self not in final


BY_POLICY = (AsideReason.OLDER_POLICY, AsideReason.ASKED_AGAIN)
"""It was a good vote until the guideline changed."""


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
        """A content hash; annotations refer to the scheme they were made under by it."""
        parts = (*self.labels, str(self.multi), self.none_label or "")
        return blake2b("\x1f".join(parts).encode(), digest_size=6).hexdigest()

    @property
    def choices(self) -> tuple[str, ...]:
        """All that can be chosen, the negative last."""
        return self.labels if self.none_label is None else (*self.labels, self.none_label)

    def aside(self, chosen: Collection[str]) -> AsideReason | None:
        """Why this choice must be set aside, or None when it counts."""
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
        """Label matrix of shape (n, k) from the chosen labels of n items.

        `asked[i]` are the labels that row i was asked about; a label that is in the scheme now
        but was not asked then is MISSING. None: all were asked. Unknown labels are ignored: they
        belong to an older scheme.
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
        """The names of the labels that a row (k,) says yes to, or [none_label]."""
        names = [label for label, value in zip(self.labels, row, strict=True) if value == 1]
        return names if names or self.none_label is None else [self.none_label]
