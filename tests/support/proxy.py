"""An HTTP proxy in front of the real Label Studio that fails when it is told to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from support.ports import free_port

Fault = Callable[[Callable[[], httpx.Response]], httpx.Response | None]
"""Takes the call of the server, to be made or not; returns the answer to pass on, None to hang
up without one."""


class Proxy:
    """Forwards requests to `server`. `on` and `off` as if the server came and went."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.imports: Fault | None = None
        """What happens to imports of tasks."""
        self.any: Callable[[str, str], Fault | None] = lambda *_: None
        """What happens to a request, by its method and path without the query; None: nothing."""
        self._listener: ThreadingHTTPServer | None = None

    def on(self) -> None:
        """Listens."""
        self._listener = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        threading.Thread(target=self._listener.serve_forever, args=(0.05,)).start()

    def off(self) -> None:
        """Nobody listens on the port any more."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener = None


@contextmanager
def proxy_of(server: str) -> Iterator[Proxy]:
    """A proxy that is on."""
    proxy = Proxy(server)
    proxy.on()
    try:
        yield proxy
    finally:
        proxy.off()


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept = {
                k: v
                for k, v in self.headers.items()
                if k.lower() in ("authorization", "content-type", "cookie")
            }

            def call() -> httpx.Response:
                # Without verify=False each request would read the certificates of the whole world.
                return httpx.request(
                    self.command,
                    proxy.server + self.path,
                    content=body,
                    headers=kept,
                    timeout=60,
                    verify=False,
                )

            path = self.path.split("?")[0]
            fault = (proxy.imports if path.endswith("/import") else None) or proxy.any(
                self.command, path
            )
            answer = fault(call) if fault else call()
            if answer is None:
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.multi_items():
                if name in ("set-cookie", "location"):
                    self.send_header(name, value)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            promised = answer.extensions.get("promised", len(answer.content))
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            with suppress(BrokenPipeError):  # the client gave up
                self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
