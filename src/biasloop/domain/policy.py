"""A version of the annotation guideline."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Policy:
    """One guideline text; its id is a hash of the content, so the same text is the same policy."""

    text: str

    @property
    def id(self) -> str:
        """12 hex digits."""
        return blake2b(self.text.encode(), digest_size=6).hexdigest()


def excerpt(text: str, labels: Collection[str]) -> str:
    """The sections of a Markdown guideline whose headings name one of the labels in backticks;
    the whole text when no heading names any label."""
    sections = re.split(r"(?m)^(?=## )", text)
    about = [s for s in sections if any(f"`{label}`" in _heading(s) for label in labels)]
    if not about and any("`" in _heading(section) for section in sections[1:]):
        return ""
    return "".join(about or sections).strip()


def _heading(section: str) -> str:
    return section.partition("\n")[0]
