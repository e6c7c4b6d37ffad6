"""Reads what is sent to our pages, and refuses what another site sent."""

import re
import socket
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

MAX_FORM_BYTES = 1_000_000
MAX_FIELDS = 200


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form. Refuses a form from another site (403), or one too large (413)."""
    if is_cross_site(request.headers):
        raise HTTPException(403, "this form was sent by another site; open the page and try again")
    body = await read_body(request, MAX_FORM_BYTES)
    try:
        return dict(
            parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        )
    except ValueError:
        raise HTTPException(
            400, "this is not a form of this page; open the page and try again"
        ) from None


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a request. Refuses more than `limit` bytes (413)."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise HTTPException(413, f"this may have at most {limit} bytes")
    except ClientDisconnect:  # no fault of ours, so nothing for the log
        raise HTTPException(400, "the request was not sent to its end") from None
    return body


def read_number(text: str, highest: int) -> int | None:
    """A whole number from 1 to `highest` that somebody typed; None if it is not one."""
    text = text.strip()
    if not text.isdecimal() or len(text) > len(str(highest)):
        return None
    return number if 1 <= (number := int(text)) <= highest else None


def is_ours(host: str, names: Collection[str]) -> bool:
    """Whether a Host header may be this page's: an address, this machine's name, or one of `names`.

    Under any other name it may be another site, whose name was made to point here (DNS rebinding);
    the browser would then take that site's scripts for ours.
    """
    name = re.sub(r":\d+$", "", host.lower())
    if name in {"localhost", socket.gethostname().lower(), *map(str.lower, names)}:
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser sends this on behalf of another site.

    Browsers say so in Sec-Fetch-Site, older ones and those without TLS in Origin; a program that
    sends neither acts on behalf of no other site (as in Go's http.CrossOriginProtection).
    """
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        return origin is not None and urlsplit(origin).netloc != headers.get("host")
    except ValueError:  # no browser sends that
        return True
