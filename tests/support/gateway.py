"""The gateway as people meet it: by a personal link."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from biasloop.gateway.app import create_gateway
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.web.server import WebServer

PAGE = {"Accept": "text/html"}


@contextmanager
def gateway_of(service: Service, url: str | None = None, **changed: Any) -> Iterator["Gateway"]:
    """The running gateway of a workspace, with these settings changed; people come to `url`."""
    settings = service.settings.gateway.model_copy(update=changed)
    service.settings = service.settings.model_copy(update={"gateway": settings})
    settings.check()
    woken: list[None] = []
    app = create_gateway(service, lambda: woken.append(None))
    tls = (settings.certificate, settings.key)
    with WebServer(app, settings.host, settings.port, "gateway", *tls) as server:
        yield Gateway(service, url or server.url, woken)


@dataclass(frozen=True)
class Gateway:
    """A running gateway; `woken` has an entry for each time that it woke the loop."""

    service: Service
    url: str
    woken: list[None]

    def link(self, email: str) -> str:
        """A new personal link, as `annotator add` prints it."""
        secret, _ = self.service.access.make_link(self.service.access.add(email))
        return f"{self.url}/l/{secret}"

    def visitor(self, email: str | None = None, **options: Any) -> "Visitor":
        """Somebody who has opened their link, with these options of their HTTP client."""
        email = email or f"{uuid4().hex[:8]}@example.org"
        link = self.link(email)
        visitor = Visitor(self, email, **options)
        visitor.open(link)
        return visitor


class Visitor:
    """Somebody who labels through the gateway, by the requests that the page sends."""

    def __init__(self, gateway: Gateway, email: str, **options: Any) -> None:
        self.gateway = gateway
        self.email = email
        self.http = httpx.Client(base_url=gateway.url, timeout=60, **options)
        self.person = gateway.service.access.require(email)
        self.project = gateway.service.ledger.control.bookmark(Bookmark.PROJECT)

    def open(self, link: str) -> httpx.Response:
        """Opens a link; the session begins."""
        return self.http.get(link, headers=PAGE)

    def next_task(self) -> dict[str, Any] | None:
        """The task that the page shows next; None at the end of the queue."""
        answer = self.http.post(
            f"/api/dm/actions?id=next_task&project={self.project}",
            json={"selectedItems": {"all": True, "excluded": []}, "filters": {}},
        )
        if answer.status_code == 404:
            return None
        task: dict[str, Any] = answer.raise_for_status().json()
        return task

    def send(self, task_id: int, *labels: str, **more: Any) -> httpx.Response:
        """Submits an annotation, as the page does; `more` is set in its body."""
        return self.http.post(f"/api/tasks/{task_id}/annotations", json=answer_of(*labels) | more)

    def close(self) -> None:
        """Closes the connections."""
        self.http.close()


def answer_of(*labels: str) -> dict[str, Any]:
    """The body with which the page sends these labels."""
    region = {"from_name": "label", "to_name": "text", "type": "choices", "id": uuid4().hex[:10]}
    result = [{**region, "value": {"choices": list(labels)}}]
    return {"result": result, "lead_time": 3.5, "unique_id": str(uuid4()), "was_cancelled": False}
