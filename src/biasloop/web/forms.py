"""What our forms send, and what another site would."""

import re
import socket
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from fastapi import HTTPException, Request

FORM_BYTES = 1_000_000
FIELDS = 20


async def posted(request: Request) -> dict[str, str]:
    """The fields of a form. Refuses what another site sends (403) and what is too large (413)."""
    host = request.headers.get("host", "")
    if not is_ours(host, request.app.state.names):
        raise HTTPException(
            403,
            f"forms from {host!r} are not taken; if this page is reached by that name, put it into "
            "web.names in biasloop.toml",
        )
    if is_cross_site(request.headers):
        raise HTTPException(403, "this form was sent by another site; open the page and try again")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES:
            raise HTTPException(413, f"a form has at most {FORM_BYTES} bytes")
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise HTTPException(400, "that is no form of this page") from None


def is_ours(host: str, names: Collection[str]) -> bool:
    """Whether a Host header can be this page's: an address, this machine's name, or one of these.

    To any other name another site may have made its own lead here (DNS rebinding): the browser
    then takes its scripts for ours.
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
    sends neither acts for nobody else (as Go's http.CrossOriginProtection has it).
    """
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
