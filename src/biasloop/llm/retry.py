"""How long to wait before a request is repeated. Pure."""

import math

BASE_SECONDS = 0.5
CAP_SECONDS = 30.0
FLOOR_SECONDS = 0.05
"""By how much the shortest wait grows after a first attempt, which may be repeated at once. It
doubles too, so that a server that asks for no wait gets no storm of requests."""


def seconds_to_next_try(
    attempt: int, elapsed: float, patience: float, retry_after: float | None, draw: float
) -> float | None:
    """Seconds to wait after failed attempt number `attempt` (from 1); None means give up.

    If the server gave a time, that is used, unless it is no number, or shorter than a minimum that
    grows with each attempt. Otherwise the wait doubles from BASE_SECONDS to
    CAP_SECONDS, and the random number `draw` in [0, 1] shortens it by up to half, so that many
    clients do not return at once ("equal jitter", Brooker 2015, "Exponential Backoff And Jitter").
    No wait ends later than `patience` seconds after the first attempt.
    """
    doubled = 2.0 ** min(attempt - 1, 30)
    if retry_after is None or not math.isfinite(retry_after):
        wait = min(CAP_SECONDS, BASE_SECONDS * doubled) * (1 - draw / 2)
    else:
        wait = max(retry_after, min(CAP_SECONDS, FLOOR_SECONDS * (doubled - 1)))
    return wait if elapsed + wait <= patience else None
