"""An annotator's session in Label Studio: sign in with the web form, get tasks, submit."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx

from biasloop.errors import LabelStudioDown, LabelStudioError, LabelStudioRefused
from biasloop.foreign import BadAnswer, strike_secrets
from biasloop.labelstudio.calls import limit_client

CSRF = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class Session:
    """Sends the same requests as a browser. Raises LabelStudioRefused for a wrong password,
    LabelStudioDown when the server does not answer. Close it, or use it in a `with`."""

    def __init__(self, url: str, email: str, password: str, timeout: float = 60.0) -> None:
        self.url = url
        self._secrets = [password]
        self._http = httpx.Client(base_url=url, timeout=timeout)
        limit_client(self._http, timeout)
        try:
            self._sign_in(email, password)
        except LabelStudioError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def _sign_in(self, email: str, password: str) -> None:
        page = self._send("GET", "/user/login/").text
        token = CSRF.search(page)
        form = {
            "email": email,
            "password": password,
            "csrfmiddlewaretoken": token[1] if token else "",
        }
        if not self._send("POST", "/user/login/", data=form).is_redirect:
            raise LabelStudioRefused(
                f"{email} cannot sign in at {self.url}: wrong e-mail or password"
            )
        key = self._send("GET", "/api/current-user/token").json()["token"]
        self._secrets.append(key)
        self._http.cookies.clear()
        self._http.headers["Authorization"] = f"Token {key}"

    def next_task(self, project: int) -> dict[str, Any] | None:
        """The task that the labelling stream shows next; None when there is none."""
        answer = self._send("GET", f"/api/projects/{project}/next")
        return None if answer.status_code == httpx.codes.NOT_FOUND else dict(answer.json())

    def submit(self, task_id: int, result: Sequence[Mapping[str, Any]], *, seconds: float) -> None:
        """Submits an annotation; it is no error if the task has been withdrawn meanwhile."""
        self._send(
            "POST",
            f"/api/tasks/{task_id}/annotations/",
            json={"result": list(result), "lead_time": seconds},
        )

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **content)
        except (httpx.HTTPError, BadAnswer) as error:
            reason = strike_secrets(str(error), self._secrets)
            raise LabelStudioDown(f"Label Studio at {self.url} does not answer: {reason}") from None
        status = answer.status_code
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise LabelStudioDown(f"Label Studio at {self.url} answered {status}; see its log")
        if answer.is_client_error and status != httpx.codes.NOT_FOUND:
            raise LabelStudioRefused(
                f"Label Studio at {self.url} refused {method} {path} ({status}): "
                f"{strike_secrets(answer.text, self._secrets)[:200]}"
            )
        return answer
