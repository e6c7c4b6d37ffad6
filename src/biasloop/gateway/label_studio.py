"""Label Studio as the gateway asks it: in the name of one annotator, whose session there never
leaves this process."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
from starlette.concurrency import run_in_threadpool

from biasloop.domain.person import Person
from biasloop.errors import LabelStudioDown, LabelStudioError, LabelStudioRefused
from biasloop.labelstudio.session import CSRF

MAX_ANSWER_BYTES = 2**26
CONNECTIONS = 50
FAILURE_SECONDS = 3.0
"""For how long a failed attempt to sign somebody in counts for those who come after it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What Label Studio replied, read to its end."""

    status: int
    content_type: str
    body: bytes

    def values(self) -> dict[str, Any]:
        """The JSON object in it; nothing if there is none, or it is an error."""
        values = self._json()
        return values if isinstance(values, dict) else {}

    def items(self) -> list[dict[str, Any]]:
        """The JSON objects of the list in it; nothing if there is none, or it is an error."""
        values = self._json()
        return (
            [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []
        )

    def _json(self) -> Any:
        try:
            return json.loads(self.body) if self.status == httpx.codes.OK else None
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody's session in Label Studio, and the number of their account there."""

    cookies: str
    user: int


class LabelStudioSessions:
    """Sends requests in the name of annotators, who are signed in when they are first needed.

    `password_of` gives the password of an account, `create_account` makes the account with a
    password if it does not exist; both may block. Every method raises LabelStudioDown when Label
    Studio does not answer, LabelStudioRefused when it does not let the account in.
    """

    def __init__(
        self,
        url: str,
        password_of: Callable[[Person], str],
        create_account: Callable[[str, str], object],
        timeout: float,
    ) -> None:
        self._url = url
        self._password_of = password_of
        self._create_account = create_account
        self._timeout = timeout
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=timeout,
            limits=httpx.Limits(max_connections=CONNECTIONS),
            # Everybody shares this client, so it must not keep the cookies of anybody.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        self._sessions: dict[str, SignedIn] = {}
        self._failures: dict[str, tuple[float, LabelStudioError]] = {}
        self._signing_in: dict[str, asyncio.Lock] = {}

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    def forget(self, person: Person) -> None:
        """Drops somebody's session."""
        self._sessions.pop(person.id, None)

    async def user_of(self, person: Person) -> int:
        """The number of somebody's account."""
        return (await self._session(person)).user

    async def ask(
        self,
        person: Person,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Sends a request in somebody's name; once more if their session is over."""
        session = await self._session(person)
        reply = await self._send(method, path, query, body, {"Cookie": session.cookies})
        if not _is_signed_out(reply):
            return reply
        if self._sessions.get(person.id) is session:
            self.forget(person)
        session = await self._session(person)
        return await self._send(method, path, query, body, {"Cookie": session.cookies})

    async def ask_for_file(self, path: str, query: Mapping[str, str]) -> Reply:
        """Asks for what is the same for everybody, in nobody's name."""
        return await self._send("GET", path, query, None, {})

    # --- signing in ----------------------------------------------------------------------------

    async def _session(self, person: Person) -> SignedIn:
        async with self._signing_in.setdefault(person.id, asyncio.Lock()):
            if person.id not in self._sessions:
                self._sessions[person.id] = await self._try_to_sign_in(person)
            return self._sessions[person.id]

    async def _try_to_sign_in(self, person: Person) -> SignedIn:
        """Those who waited for the same attempt share its failure, for a moment."""
        until, failure = self._failures.get(person.id, (0.0, None))
        if failure is not None and time.monotonic() < until:
            raise type(failure)(str(failure))
        try:
            signed_in = await self._sign_in(person)
        except LabelStudioError as error:
            self._failures[person.id] = (time.monotonic() + FAILURE_SECONDS, error)
            raise
        self._failures.pop(person.id, None)
        return signed_in

    async def _sign_in(self, person: Person) -> SignedIn:
        password = await run_in_threadpool(self._password_of, person)
        cookies = await self._send_form(person.account, password)
        if cookies is None:
            await run_in_threadpool(self._create_account, person.account, password)
            cookies = await self._send_form(person.account, password)
        if cookies is None:
            raise LabelStudioRefused(
                f"Label Studio at {self._url} does not let {person.account} in; the account has "
                "another password: remove the person (`biasloop annotator remove`) and add them "
                "again"
            )
        whoami = await self._send(
            "GET", "/api/current-user/whoami", None, None, {"Cookie": cookies}
        )
        user = whoami.values().get("id")
        if not isinstance(user, int):
            raise LabelStudioDown(
                f"Label Studio at {self._url} does not say who is signed in ({whoami.status})"
            )
        return SignedIn(cookies, user)

    async def _send_form(self, email: str, password: str) -> str | None:
        """The cookies of a new session; None if Label Studio refuses address or password."""
        page, cookies = await self._send_and_read_cookies("GET", "/user/login/", {})
        token = CSRF.search(page.body.decode("utf-8", "replace"))
        form = {
            "email": email,
            "password": password,
            "persist_session": "on",
            "csrfmiddlewaretoken": token[1] if token else "",
        }
        answer, session = await self._send_and_read_cookies(
            "POST", "/user/login/", {"Cookie": _cookie_header(cookies)}, form
        )
        return _cookie_header(cookies | session) if answer.status == httpx.codes.FOUND else None

    # --- requests ------------------------------------------------------------------------------

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> Reply:
        request = self._http.build_request(
            method, path, params=query or None, json=body, headers=headers
        )
        return (await self._read(request))[0]

    async def _send_and_read_cookies(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> tuple[Reply, dict[str, str]]:
        return await self._read(self._http.build_request(method, path, data=form, headers=headers))

    async def _read(self, request: httpx.Request) -> tuple[Reply, dict[str, str]]:
        """A reply and the cookies that it sets, within the limits of time and size."""
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._http.send(request, stream=True)
                try:
                    body = bytearray()
                    async for chunk in response.aiter_bytes():
                        body += chunk
                        if len(body) > MAX_ANSWER_BYTES:
                            raise LabelStudioDown(
                                f"Label Studio at {self._url} sent more than {MAX_ANSWER_BYTES} "
                                "bytes"
                            )
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise LabelStudioDown(
                f"Label Studio at {self._url} does not answer: {reason}"
            ) from None
        kind = response.headers.get("content-type", "")
        return Reply(response.status_code, kind, bytes(body)), _cookies_of(response)


def _is_signed_out(reply: Reply) -> bool:
    """Label Studio sends a page elsewhere, and refuses what its API is asked."""
    return reply.status in (httpx.codes.FOUND, httpx.codes.UNAUTHORIZED)


def _cookies_of(response: httpx.Response) -> dict[str, str]:
    pairs = (
        line.partition(";")[0].partition("=") for line in response.headers.get_list("set-cookie")
    )
    return {name.strip(): value for name, _, value in pairs}


def _cookie_header(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
