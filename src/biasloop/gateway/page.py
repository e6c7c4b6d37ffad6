"""The labelling page of Label Studio, with our style and script in it. Pure."""

from starlette.responses import Response

from biasloop.errors import LabelStudioDown
from biasloop.gateway.label_studio import Reply

SCRIPT = b'<link rel="stylesheet" href="/gateway/page.css"><script src="/gateway/page.js"></script>'
HEAD_END = b"</head>"


def labelling_page(reply: Reply) -> Response:
    """The page with our script. Raises LabelStudioDown when this is not the labelling page."""
    if reply.status != 200 or HEAD_END not in reply.body:
        raise LabelStudioDown(f"Label Studio does not send its labelling page ({reply.status})")
    body = reply.body.replace(HEAD_END, SCRIPT + HEAD_END, 1)
    return Response(body, headers={"Content-Type": "text/html; charset=utf-8"})
