"""Limits how often an address may try wrong secrets."""

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_ADDRESSES = 10_000
"""The addresses that are remembered; beyond that, those are forgotten that failed longest ago."""


class FailedAttempts:
    """Counts failed attempts by address; `limit` of them within `seconds` are too many."""

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def too_many(self, address: str) -> bool:
        """Whether this address has to wait."""
        return len(self._recent(address)) >= self._limit

    def add(self, address: str) -> None:
        """Notes that this address failed now."""
        self._failures[address] = [*self._recent(address), self._clock()][-self._limit :]
        self._failures.move_to_end(address)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        begin = self._clock() - self._seconds
        return [at for at in self._failures.get(address, ()) if at > begin]
