"""The labels that an expander needs to know by name, read from the campaign's data."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from biasloop.errors import CampaignError


@dataclass(frozen=True, slots=True)
class LabelNames:
    """`none` is the explicit negative; `sought` and `others` say whose gender is named."""

    none: str
    sought: str
    others: str

    def without(self, labels: Sequence[str], *removed: str) -> tuple[str, ...]:
        """The labels without `removed`; the explicit negative when none is left."""
        return tuple(label for label in labels if label not in removed) or (self.none,)

    def plus(self, labels: Sequence[str], *added: str) -> tuple[str, ...]:
        """The labels and `added`, each once, without the explicit negative."""
        return tuple(dict.fromkeys(label for label in (*labels, *added) if label != self.none))


def read_names(path: Path) -> LabelNames:
    """Reads labels.toml. Raises CampaignError when a name is missing."""
    try:
        return LabelNames(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CampaignError(f"{path}: must set none, sought and others ({error})") from error
