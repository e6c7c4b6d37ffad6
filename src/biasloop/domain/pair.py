"""Pairs of answers to a prompt, one preferred over the other: what a tuning learns from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

MOSTLY_LONGER = 0.7
"""DPO teaches length where the preferred answer is the longer one in more pairs than this share
(Park et al. 2024, "Disentangling length from quality in direct preference optimization")."""


class PairSource(StrEnum):
    """Where a pair comes from."""

    SEED = "seed"
    """A rewrite that came with a seed."""
    HUMAN = "human"
    """A rewrite by a person who labelled."""


@dataclass(frozen=True, slots=True)
class Pair:
    """To `prompt`, after the message `system` ("": none), the answer `chosen` is preferred to
    `rejected`. `roots` are the ids of the ads or seeds that the pair descends from."""

    id: str
    roots: tuple[str, ...]
    system: str
    prompt: str
    chosen: str
    rejected: str
    source: PairSource


@dataclass(frozen=True, slots=True)
class RefusedPair:
    """The id of a pair that cannot teach, why, and the id of the `other` pair or item that it
    contradicts or repeats, if there is one."""

    id: str
    other: str | None
    why: str

    def __str__(self) -> str:
        other = f" (and {self.other})" if self.other else ""
        return f"{self.id}{other}: {self.why}"


def screen_pairs(pairs: Iterable[Pair]) -> tuple[list[Pair], list[RefusedPair]]:
    """The pairs that can teach, and those that cannot: answers that are equal or empty, pairs that
    say the opposite of another one (both are refused), and repetitions."""
    refused: list[RefusedPair] = []
    first: dict[tuple[str, str, str], Pair] = {}
    for pair in pairs:
        key = pair.prompt, pair.chosen.strip(), pair.rejected.strip()
        if not all(key):
            refused.append(RefusedPair(pair.id, None, "a prompt or an answer is empty"))
        elif key[1] == key[2]:
            refused.append(RefusedPair(pair.id, None, "both answers are the same"))
        elif key in first:
            refused.append(RefusedPair(pair.id, first[key].id, "the same pair twice"))
        else:
            first[key] = pair
    usable = []
    for (prompt, chosen, rejected), pair in first.items():
        if opposite := first.get((prompt, rejected, chosen)):
            refused.append(RefusedPair(pair.id, opposite.id, "preferred both ways"))
        else:
            usable.append(pair)
    return usable, refused


def longer_chosen_share(pairs: Sequence[Pair]) -> float:
    """The share of pairs whose preferred answer has more characters; 0 without pairs."""
    return sum(len(p.chosen) > len(p.rejected) for p in pairs) / len(pairs) if pairs else 0.0
