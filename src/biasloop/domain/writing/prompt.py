"""Prompts for a language model, its answers, and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

CHARACTERS_PER_TOKEN = 3
"""A low estimate, so that a text rarely has more tokens than were planned and reserved for it."""


class Problem(StrEnum):
    """Why there is no usable answer."""

    SCHEMA = "schema"
    """The answer did not match the JSON schema, even when asked again."""
    NO_ANSWER = "no_answer"
    """No answer arrived, or the server refused this prompt."""
    NOT_ASKED = "not_asked"
    """The prompt was not sent: the budget was spent, or the server was down."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt for a language model.

    `system` holds the instructions and no outside text; `user` holds the material. The answer is a
    JSON object that matches `schema` (JSON Schema). Answers are cached: a different `sample` asks
    the same prompt again. `roots` are the roots of the texts in the prompt; when one of them is
    taken down, the cached answer is deleted as well.
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
    """An answer to a prompt: `value` matches the prompt's schema; None if there is a problem."""

    value: Mapping[str, Any] | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """What one purse (e.g. a round) was charged: requests that reached a server, tokens, and cost
    in the currency of the prices. A request without an answer is charged at the maximum length."""

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
        """The cost of this many input and output tokens."""
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent on one purse (e.g. a round) and in total, in the currency of the
    prices."""

    purse: float = field(default=float("inf"))
    total: float = field(default=float("inf"))
