"""Reports that many ask for, made once for all of them."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Report = TypeVar("Report")


class Cached(Generic[Report]):
    """Makes a report at most once in a number of seconds, however many ask: it may read the whole
    pool. `clock` gives seconds."""

    def __init__(
        self,
        make: Callable[[], Report],
        seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._newest: list[Report] = []
        self._until = 0.0

    def __call__(self) -> Report:
        with self._lock:
            if not self._newest or self._clock() >= self._until:
                self._newest = [self._make()]
                self._until = self._clock() + self._seconds
            return self._newest[0]
