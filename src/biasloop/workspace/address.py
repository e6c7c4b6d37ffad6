"""The addresses of servers in settings."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _check_address(url: str) -> str:
    """Accepts "", and what an HTTP client can connect to."""
    parts = urlsplit(url)
    if url and not (parts.scheme in ("http", "https") and parts.hostname and parts.port != 0):
        raise ValueError(f"{url!r} is not the address of a server; write it as http://host:port")
    return url


Address = Annotated[str, AfterValidator(_check_address)]
"""The URL of a server."""
