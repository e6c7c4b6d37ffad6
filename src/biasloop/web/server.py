"""The page's HTTP server, in a thread of its own."""

import asyncio
import errno
import socket
import threading
from typing import Self

import uvicorn
from fastapi import FastAPI

from biasloop.errors import ConfigError, WorkspaceError
from biasloop.web.connections import AcceptErrors, LimitedConnection, connection_limits

GRACE_SECONDS = 5
"""How long a stop waits for unfinished requests."""


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(AcceptErrors())
        await super().startup(sockets)


class WebServer:
    """Serves an application from `start` to `stop`. Both return when they are done."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        self._host = host
        self._port = port
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
                lifespan="off",
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
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Starts the server and returns when it answers.

        Raises ConfigError when the address is taken or cannot be used, WorkspaceError when the
        server does not come up.
        """
        listener = self._listen()  # by ourselves: uvicorn would end the process on failure
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="web"
        )
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)
            if not self._thread.is_alive():
                raise WorkspaceError(f"the page at {self.url} did not start; see the log above")

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
                    f"port {self._port} on {self._host} is taken, so the page cannot be served; "
                    "end the other program, or set web.port in biasloop.toml "
                    "(BIASLOOP_WEB__PORT) to a free one"
                ) from None
            raise ConfigError(
                f"the page cannot be served at {self._host}:{self._port}: {error.strerror}; "
                "set web.host and web.port in biasloop.toml "
                "(BIASLOOP_WEB__HOST, BIASLOOP_WEB__PORT)"
            ) from None
