"""How Ctrl-C and SIGTERM end a service: the first lets the running step finish, the second ends
everything at once. Before the service works, the first one does."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NOTICE_SECONDS = 0.2
"""The longest time until a signal is noticed that the system delivered to another thread."""


class EndNow(BaseException):
    """The process is to end without waiting for anything."""


class Stop:
    """Whether the service is to stop."""

    def __init__(self) -> None:
        self._asked = False
        self._working = False

    def wait(self) -> None:
        """Waits until the service is to stop. From now on there may be a step to finish.

        Python runs signal handlers in the main thread, but a signal that the system delivers to
        another thread does not wake it; so it only takes short sleeps here. A handler must not wait
        for a lock that the interrupted code may hold; so it sets no threading.Event.
        """
        self._working = True
        while not self._asked:
            time.sleep(NOTICE_SECONDS)

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handles a signal. Raises EndNow."""
        if self._asked or not self._working:
            raise EndNow(128 + number)
        self._asked = True


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Within the block, SIGINT and SIGTERM are for the `Stop`. When one says to end at once, what
    the block leaves is ended in order, and what other threads do is cut off."""
    stop = Stop()
    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except EndNow as end:
        os._exit(end.args[0])  # Python would wait for the threads of a running step
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
