"""The addresses of servers in settings."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _check_address(url: str) -> str:
    """Accepts "", and what an HTTP client can connect to."""
    if url and not _is_address(url):
        # What stands before an @ may be a password.
        shown = f"***@{url.rpartition('@')[2]}" if "@" in url else url
        raise ValueError(f"{shown!r} is not the address of a server; write it as http://host:port")
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


Address = Annotated[str, AfterValidator(_check_address)]
"""The URL of a server."""
