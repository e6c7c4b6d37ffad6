"""Scripts, styles and pictures of Label Studio: compressed once, and kept."""

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from biasloop.gateway.label_studio import LabelStudioSessions

MAX_BYTES = 64_000_000
COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml")
CACHE = "public, max-age=86400"
"""Label Studio's files change only with its version."""


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file as it is sent; `packed` with gzip, if that makes sense."""

    content_type: str
    body: bytes
    packed: bool
    tag: str


class Files:
    """Label Studio's files, each asked for once; those used last are forgotten last."""

    def __init__(self, label_studio: LabelStudioSessions) -> None:
        self._label_studio = label_studio
        self._files: OrderedDict[str, PackedFile] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    async def send(self, request: Request, path: str, query: Mapping[str, str]) -> Response:
        """The file at a path. Raises LabelStudioDown."""
        name = f"{path}?{query.get('v', '')}"
        async with self._asking.setdefault(name, asyncio.Lock()):
            try:
                if name not in self._files:
                    reply = await self._label_studio.ask_for_file(path, query)
                    if reply.status != 200:
                        return Response(status_code=404)
                    packed = await run_in_threadpool(_pack, reply.content_type, reply.body)
                    self._keep(name, packed)
                self._files.move_to_end(name)
                file = self._files[name]
            finally:
                self._asking.pop(name, None)
        return _response(request, file)

    def _keep(self, name: str, file: PackedFile) -> None:
        self._files[name] = file
        while len(self._files) > 1 and self._size() > MAX_BYTES:
            self._files.popitem(last=False)

    def _size(self) -> int:
        return sum(len(name) + len(file.body) for name, file in self._files.items())


def _pack(content_type: str, body: bytes) -> PackedFile:
    packed = content_type.startswith(COMPRESSIBLE)
    sent = gzip.compress(body, 6, mtime=0) if packed else body
    return PackedFile(content_type, sent, packed, f'"{sha256(sent).hexdigest()[:20]}"')


def _response(request: Request, file: PackedFile) -> Response:
    headers = {"ETag": file.tag, "Cache-Control": CACHE, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    body = file.body
    if file.packed and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    elif file.packed:
        body = gzip.decompress(body)
    return Response(body, headers=headers | {"Content-Type": file.content_type})
