"""Asks what answers at the address of our own Label Studio."""

from enum import StrEnum

from biasloop.foreign import BadAnswer, TooSlow, limit_answers

PROBE_BYTES = 2**20
"""Label Studio's answers are smaller than this."""


class Responder(StrEnum):
    """What answers at an address."""

    OURS = "the server whose token this is"
    NONE = "nothing, or a server that is not ready"
    ANOTHER = "another server"


def probe_server(url: str, token: str, seconds: float) -> Responder:
    """What answers at this address. Waits at most `seconds` for each of two answers."""
    import httpx

    headers = {"Authorization": f"Token {token}"}
    with httpx.Client(base_url=url, timeout=seconds) as http:
        limit_answers(http, seconds=seconds, size=PROBE_BYTES, byte_stream=httpx.ByteStream)
        try:
            health = http.get("/health")
            whoami = http.get("/api/current-user/whoami", headers=headers)
        except (httpx.TransportError, TooSlow):
            return Responder.NONE
        except (httpx.DecodingError, BadAnswer):
            return Responder.ANOTHER
    if whoami.status_code == httpx.codes.OK and '"email"' in whoami.text:
        return Responder.OURS
    if health.is_server_error or whoami.is_server_error:
        return Responder.NONE
    return Responder.ANOTHER
