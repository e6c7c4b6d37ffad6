"""A version of the annotation guideline."""

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
