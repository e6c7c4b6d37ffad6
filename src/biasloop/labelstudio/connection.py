"""A connection to Label Studio with a token."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from biasloop.errors import LabelStudioRefused
from biasloop.labelstudio.calls import calling, limit_client
from biasloop.labelstudio.label_config import LabelConfig


@dataclass(frozen=True, slots=True)
class Server:
    """The version of the server, and the e-mail address of the token's account."""

    version: str
    email: str


class Connection:
    """A signed-in client for one server. Close it, or use it in a `with`.

    `token` is a legacy token or a personal access token; `project` is the id that
    `ensure_project` returned earlier, so that a renamed project is found too.
    """

    def __init__(
        self,
        url: str,
        token: str,
        config: LabelConfig,
        project: int | None = None,
        timeout: float = 60.0,
    ) -> None:
        import httpx
        from label_studio_sdk import LabelStudio

        self.url = url.rstrip("/")
        self._config = config
        self._project = project
        self._timeout = timeout
        self._emails: dict[int, str] = {}
        self._token = token
        self._http = httpx.Client(timeout=timeout, follow_redirects=True)
        limit_client(self._http, timeout)
        with self._calling("sign in"):
            # No retries: the SDK would repeat an import that the server has committed already.
            self._sdk = LabelStudio(
                base_url=self.url, api_key=token, max_retries=0, httpx_client=self._http
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def whoami(self) -> Server:
        """Checks the address and the token, for `biasloop doctor`."""
        with self._calling("sign in"):
            email = self._sdk.users.whoami().email
            return Server(version=str(self._sdk.versions.get().release), email=str(email))

    @property
    def project(self) -> int:
        """The id of the project. Raises LabelStudioRefused before there is one."""
        if self._project is None:
            raise LabelStudioRefused(
                f"there is no project for this campaign at {self.url} yet; `biasloop up` creates it"
            )
        return self._project

    def use_project(self, project: int | None) -> None:
        """Works with this project from now on; None until `ensure_project` has found one."""
        self._project = project

    def _calling(self, purpose: str) -> AbstractContextManager[None]:
        return calling(self.url, purpose, [self._token])
