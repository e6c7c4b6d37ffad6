"""When to ask a server again. Pure."""

BASE_SECONDS = 0.5
CAP_SECONDS = 30.0


def next_try(
    attempt: int, elapsed: float, patience: float, retry_after: float | None, draw: float
) -> float | None:
    """Seconds to wait after failed attempt number `attempt` (from 1); None: give up.

    A wait that the server named holds; else it doubles from BASE_SECONDS to CAP_SECONDS, less up
    to half of it by `draw` in [0, 1], so that many clients do not come back at once ("equal
    jitter", Brooker 2015, "Exponential Backoff And Jitter"). Nobody waits beyond `patience`
    seconds after the first attempt.
    """
    if retry_after is None:
        longest = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(attempt - 1, 30))
        wait = longest * (1 - draw / 2)
    else:
        wait = max(retry_after, 0.0)
    return wait if elapsed + wait <= patience else None
