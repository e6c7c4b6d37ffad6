"""A real Label Studio for tests, started once per run, and people who label there."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
import pytest

from biasloop.labelstudio.client import LabelStudioClient
from biasloop.labelstudio.embedded import EmbeddedLabelStudio
from biasloop.labelstudio.label_config import parse_label_config
from support.ports import free_port

LABEL_CONFIG = """
<View>
  <Header value="Che cosa dice questa frase?"/>
  <Text name="text" value="$text"/>
  <Choices name="label" toName="text" choice="multiple" required="true">
    <Choice value="inclusive"/> <Choice value="gender"/> <Choice value="age"/>
  </Choices>
  <Labels name="span" toName="text"><Label value="age"/></Labels>
  <Text name="context" value="$context"/>
</View>
"""
CONFIG = parse_label_config(LABEL_CONFIG, "inclusive")
INSTRUCTION = "# Linee guida\n\nUna frase alla volta."


class Unprotected(EmbeddedLabelStudio):
    """A Label Studio that calls webhooks on this machine, as an owner may let theirs do."""

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {"SSRF_PROTECTION_ENABLED": "false"}


@dataclass(frozen=True)
class Server:
    """Where the server of this run is, and its administrator."""

    url: str
    email: str
    password: str
    token: str
    data_dir: Path


@pytest.fixture(scope="session")
def label_studio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One embedded Label Studio for the whole run, from the virtual environment beside ours."""
    server = Server(
        url="",
        email="admin@example.org",
        password="a-long-Password-1",
        token="0123456789abcdef0123456789abcdef01234567",
        data_dir=tmp_path_factory.mktemp("label-studio"),
    )
    embedded = Unprotected(
        Path(sys.prefix + "-labelstudio"),
        server.data_dir,
        free_port(),
        email=server.email,
        password=server.password,
        token=server.token,
        on_line=print,
    )
    with embedded:
        yield Server(embedded.url, server.email, server.password, server.token, server.data_dir)


@pytest.fixture
def label_studio_client(label_studio_server: Server) -> Iterator[LabelStudioClient]:
    """A client with a fresh project of its own."""
    with LabelStudioClient(label_studio_server.url, label_studio_server.token, CONFIG) as client:
        client.ensure_project(f"test {uuid4().hex[:12]}", LABEL_CONFIG, INSTRUCTION)
        yield client


@pytest.fixture
def annotator(
    label_studio_server: Server, label_studio_client: LabelStudioClient
) -> Iterator["Annotator"]:
    """The administrator, who labels the fresh project."""
    with Annotator(
        label_studio_server.url, label_studio_server.token, label_studio_client.project
    ) as person:
        yield person


class Annotator:
    """Somebody who labels, by the requests that the browser sends."""

    def __init__(self, url: str, token: str, project: int, choices: str = "label") -> None:
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60
        )
        self.token = token
        self._project = project
        self._choices = choices

    @classmethod
    def sign_in(cls, url: str, email: str, password: str, project: int) -> Self:
        """Signs in through the web form, as people do. Raises PermissionError when refused."""
        with httpx.Client(base_url=url, timeout=60) as http:
            page = http.get("/user/login/").text
            csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
            assert csrf is not None
            form = {"email": email, "password": password, "csrfmiddlewaretoken": csrf[1]}
            if not http.post("/user/login/", data=form).is_redirect:
                raise PermissionError(email)
            token = http.get("/api/current-user/token").json()["token"]
        return cls(url, token, project)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def next_task(self) -> int | None:
        """The task that the labeling stream shows next; None at its end."""
        answer = self._http.get(f"/api/projects/{self._project}/next")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return int(answer.raise_for_status().json()["id"])

    def task(self, task_id: int) -> dict[str, Any]:
        """The whole task as the browser gets it."""
        return self._json("GET", f"/api/tasks/{task_id}/")

    def label(self, task_id: int, *labels: str, seconds: float = 3.5) -> int:
        """Submits an annotation; returns its id."""
        body = {"result": self.result(*labels), "lead_time": seconds}
        return int(self._json("POST", f"/api/tasks/{task_id}/annotations/", body)["id"])

    def skip(self, task_id: int) -> int:
        """Skips the task; returns the id of the annotation that says so."""
        body = {"result": [], "was_cancelled": True, "lead_time": 1.0}
        return int(self._json("POST", f"/api/tasks/{task_id}/annotations/", body)["id"])

    def draft(self, task_id: int, *labels: str) -> int:
        """Leaves a draft, unsubmitted."""
        body = {"result": self.result(*labels), "lead_time": 1.0}
        return int(self._json("POST", f"/api/tasks/{task_id}/drafts", body)["id"])

    def drafts(self, task_id: int) -> list[int]:
        """Ids of one's drafts on a task."""
        answer = self._http.get(f"/api/tasks/{task_id}/drafts")
        return [int(draft["id"]) for draft in answer.raise_for_status().json()]

    def change(self, annotation_id: int, *labels: str) -> None:
        """Chooses something else in an annotation."""
        self._json("PATCH", f"/api/annotations/{annotation_id}/", {"result": self.result(*labels)})

    def delete(self, annotation_id: int) -> None:
        """Deletes an annotation."""
        self._http.delete(f"/api/annotations/{annotation_id}/").raise_for_status()

    def result(self, *labels: str) -> list[dict[str, Any]]:
        """What the browser sends for these choices; nothing chosen is an empty list."""
        if not labels:
            return []
        region = {"from_name": self._choices, "to_name": "text", "type": "choices"}
        return [{**region, "id": uuid4().hex[:10], "value": {"choices": list(labels)}}]

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self._http.request(method, path, json=body)
        data: dict[str, Any] = answer.raise_for_status().json()
        return data
