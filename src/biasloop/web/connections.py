"""Connections to the page: limited in number, and closed when their clients take too long, so that
no client can take from the loop what it needs."""

import asyncio
import logging
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0
"""How long a client may take to say what it wants."""
REQUEST_SECONDS = 120.0
"""How long a request may take after that, until its answer is sent."""
LINGER_SECONDS = 2.0
"""How long the rest of a request is received after it was answered, so that its client sees the
answer."""
MAX_CONNECTIONS = 200
ACCEPT_ERROR = "socket.accept() out of system resource"
"""What asyncio calls it."""


def connection_limits() -> tuple[int, int]:
    """How many connections the page may hold, and how many more it may accept at once: a fraction
    of the files that this process may open, because the loop opens files, too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        files = 4 * MAX_CONNECTIONS
    limit = max(8, min(MAX_CONNECTIONS, files // 4))
    return limit, max(4, limit // 4)


class LimitedConnection(H11Protocol):
    """One connection. When there are too many, the one that has waited for its client longest is
    closed; if all are at work, the new one is."""

    limit = MAX_CONNECTIONS
    _timer: asyncio.TimerHandle | None = None
    _since = 0.0
    """When it began to wait for a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room for it if needed."""
        super().connection_made(transport)
        self._expect(HEAD_SECONDS)
        open_ones = [c for c in self.connections if not c.transport.is_closing()]
        if len(open_ones) > self.limit:
            waiting = [c for c in open_ones if isinstance(c, LimitedConnection) and c.is_waiting]
            min(waiting, key=lambda connection: connection._since).transport.abort()

    @property
    def is_waiting(self) -> bool:
        """Whether no request is at work."""
        return self.cycle is None or self.cycle.response_complete

    def handle_events(self) -> None:
        """Notices when the head of a request is complete."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._expect(REQUEST_SECONDS)

    def on_response_complete(self) -> None:
        """Waits for the next request, or for the rest of this one."""
        all_received = self.conn.their_state is not h11.SEND_BODY
        self._expect(HEAD_SECONDS if all_received else LINGER_SECONDS)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _expect(self, seconds: float) -> None:
        """Gives up the connection unless something happens in that time."""
        if self._timer is not None:
            self._timer.cancel()
        self._since = self.loop.time()
        self._timer = self.loop.call_later(seconds, self.transport.abort)


class AcceptErrors:
    """Logs once that no connection can be accepted; asyncio would log it every second."""

    def __init__(self) -> None:
        self._logged = False

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """See asyncio's `set_exception_handler`."""
        if context.get("message") != ACCEPT_ERROR:
            loop.default_exception_handler(context)
        elif not self._logged:
            self._logged = True
            log.error(
                "the page cannot accept connections (%s); this is logged once. Raise the limit "
                "of open files (ulimit -n) if it goes on",
                context.get("exception"),
            )
