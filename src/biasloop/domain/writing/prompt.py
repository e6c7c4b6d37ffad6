"""A question to a language model, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

CHARACTERS_PER_TOKEN = 3
"""Rather too few than too many: what is planned and reserved should not be overrun."""


class Problem(StrEnum):
    """Why there is no usable answer."""

    SCHEMA = "schema"
    """Not the JSON that was asked for, not even when asked again."""
    NO_ANSWER = "no_answer"
    """None came, or the server refused this one prompt."""
    NOT_ASKED = "not_asked"
    """Asking had stopped: budget spent, or the server out of order."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """`system` says what to do and holds nothing from outside; `user` holds the material.

    The answer is a JSON object by `schema` (JSON Schema). The same prompt with another `sample`
    is asked again. `roots` are those of the texts in it: a takedown forgets the answer with them.
    """

    system: str
    user: str
    schema: Mapping[str, Any]
    temperature: float = 0.0
    sample: int = 0
    roots: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Estimated input tokens."""
        return -(-(len(self.system) + len(self.user)) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is valid by the prompt's schema; None where there is a problem."""

    value: Mapping[str, Any] | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """What one purse was charged: requests that reached a server, tokens, and cost in the
    currency of the prices. An answer that never came is charged as if it had been the longest."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of an object that has exactly these properties."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class Price:
    """Per million tokens, in any currency."""

    per_million_in: float = 0.0
    per_million_out: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent for one purse (a round) and in all, in the currency of the prices."""

    purse: float = field(default=float("inf"))
    total: float = field(default=float("inf"))
