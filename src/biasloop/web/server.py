"""An HTTP server in a thread of its own: that of the page, and that of the gateway."""

import asyncio
import errno
import socket
import threading
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from biasloop.errors import ConfigError, WorkspaceError
from biasloop.web.connections import AcceptErrors, LimitedConnection, connection_limits

GRACE_SECONDS = 5
"""How long a stop waits for unfinished requests."""


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(AcceptErrors())
        await super().startup(sockets)


class WebServer:
    """Serves an application from `start` to `stop`. Both return when they are done. `section` is
    the one of the settings that names host and port; with `certificate` and `key`, both paths of
    PEM files, it serves by TLS."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        section: str = "web",
        certificate: str = "",
        key: str = "",
    ) -> None:
        self._host = host
        self._port = port
        self._section = section
        self._scheme = "https" if certificate else "http"
        limit, backlog = connection_limits()
        self._server = _Server(
            uvicorn.Config(
                app,
                http=type("Connection", (LimitedConnection,), {"limit": limit}),
                backlog=backlog,
                log_config=None,
                log_level="error",  # any client could fill the log with warnings
                access_log=False,
                server_header=False,
                lifespan="on",
                ssl_certfile=certificate or None,
                ssl_keyfile=key or None,
                ws="none",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, without a path; port 0 becomes the real one once started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}"

    @property
    def _what(self) -> str:
        return "page" if self._section == "web" else self._section

    def start(self) -> None:
        """Starts the server and returns when it answers.

        Raises ConfigError when the address is taken or cannot be used, WorkspaceError when the
        server does not come up.
        """
        listener = self._listen()  # by ourselves: uvicorn would end the process on failure
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name=self._section
        )
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)
            if not self._thread.is_alive():
                raise WorkspaceError(
                    f"the {self._what} at {self.url} did not start; see the log above"
                )

    def stop(self) -> None:
        """Ends the server after the unfinished requests. May be called twice."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"port {self._port} on {self._host} is taken, so the {self._what} cannot be "
                    f"served; end the other program, or set {self._section}.port in biasloop.toml "
                    f"(BIASLOOP_{self._section.upper()}__PORT) to a free one"
                ) from None
            raise ConfigError(
                f"the {self._what} cannot be served at {self._host}:{self._port}: "
                f"{error.strerror}; set {self._section}.host and {self._section}.port in "
                f"biasloop.toml (BIASLOOP_{self._section.upper()}__HOST, "
                f"BIASLOOP_{self._section.upper()}__PORT)"
            ) from None
