"""The result of every operation of the counterfactual expander."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """A changed text, its labels, and the operation that made it.

    An operation is written kind:variant:detail@position; all parts but the kind are optional:
    "gender:paired@12", "gender:open:schwa@0", "clause:+age@40", "occupation@10".
    """

    text: str
    labels: tuple[str, ...]
    operation: str

    @property
    def key(self) -> str:
        """Kind and variant: one parent has at most one version of each."""
        return ":".join(self.operation.partition("@")[0].split(":")[:2])
