"""A page, and a loop next to it, that may open few files."""

import resource
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from biasloop.service.service import Service
from biasloop.web.app import create_app
from biasloop.web.server import WebServer

FILES = 256


def serve_with_few_files(workspace: Path, polled: str, pipe: Connection) -> None:
    """In a process of its own: the page, and what stands for the loop, which opens connections and
    files as a poll does."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    server = WebServer(create_app(Service(workspace), lambda: None), "127.0.0.1", 0)
    server.start()
    failures = []
    pipe.send(server.url)
    while not pipe.poll(0.05):
        try:
            httpx.get(polled, timeout=30)
            (workspace / "biasloop.toml").read_text()
        except OSError as error:  # no more files
            failures.append(repr(error))
        except httpx.TransportError as error:
            failures.append(repr(error))
    pipe.send(failures)
    server.stop()
