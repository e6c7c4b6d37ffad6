"""What every operation of the counterfactual expander makes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """A changed text, its labels, and the operation that made it ("gender:paired@12")."""

    text: str
    labels: tuple[str, ...]
    operation: str

    @property
    def family(self) -> str:
        """The kind of change, without its variant and position: "gender", "clause" …"""
        return self.operation.partition(":")[0]
