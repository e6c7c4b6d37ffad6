"""A scripted server that speaks the OpenAI protocol over real HTTP, and counts what it is asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Asked = dict[str, Any]
"""The body of a request for a chat completion."""


@dataclass
class Reply:
    """What the server does: an answer by the protocol, or `body` verbatim, or what `send` does
    with the connection after the headers."""

    content: str = ""
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    send: Callable[[BaseHTTPRequestHandler], None] | None = None


Script = Callable[[Asked], Reply]


class LlmServer:
    """Answers by `script`; a JSON Schema that it is asked to keep is the script's matter."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.keys: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Listener(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def prompts(self) -> list[str]:
        """The user's part of every request that was no probe, in order."""
        found = (a["messages"][1]["content"] for a in self.asked)
        return [prompt for prompt in found if prompt != "Is water wet?"]

    @contextmanager
    def listening(self) -> Iterator["LlmServer"]:
        """Until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.script(asked)
        finally:
            with self._lock:
                self._at_once -= 1


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256


def _handler(server: LlmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.keys.append(self.headers["Authorization"])
            reply = server.answer(asked)
            body = reply.body if reply.body is not None else _completion(reply.content, asked)
            with suppress(ConnectionError):  # the client gave up
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                if reply.send is None:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if reply.send is None:
                    self.wfile.write(body)
                else:
                    reply.send(self)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


def _completion(content: str, asked: Asked) -> bytes:
    words = sum(len(message["content"].split()) for message in asked["messages"])
    return json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": content},
                }
            ],
            "usage": {
                "prompt_tokens": words,
                "completion_tokens": len(content.split()),
                "total_tokens": words + len(content.split()),
            },
        }
    ).encode()


def is_probe(asked: Asked) -> bool:
    """Whether this request only finds out how the server wants to be asked."""
    return bool(asked["messages"][1]["content"] == "Is water wet?")


def structured(script: Callable[[Asked], Any]) -> Script:
    """A script that answers with this value as JSON; the probe as a server with structured output
    would."""

    def reply(asked: Asked) -> Reply:
        return Reply(json.dumps({"wet": True} if is_probe(asked) else script(asked)))

    return reply
