"""How long to wait before a request is repeated. Pure."""

BASE_SECONDS = 0.5
CAP_SECONDS = 30.0


def seconds_to_next_try(
    attempt: int, elapsed: float, patience: float, retry_after: float | None, draw: float
) -> float | None:
    """Seconds to wait after failed attempt number `attempt` (from 1); None means give up.

    If the server gave a time, that is used. Otherwise the wait doubles from BASE_SECONDS to
    CAP_SECONDS, and the random number `draw` in [0, 1] shortens it by up to half, so that many
    clients do not return at once ("equal jitter", Brooker 2015, "Exponential Backoff And Jitter").
    No wait ends later than `patience` seconds after the first attempt.
    """
    if retry_after is None:
        longest = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(attempt - 1, 30))
        wait = longest * (1 - draw / 2)
    else:
        wait = max(retry_after, 0.0)
    return wait if elapsed + wait <= patience else None
