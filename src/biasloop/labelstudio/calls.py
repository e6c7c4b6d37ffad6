"""Wraps calls to Label Studio and explains their failures."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from biasloop.errors import LabelStudioDown, LabelStudioError, LabelStudioRefused
from biasloop.foreign import BadAnswer, TooSlow, hide_password, limit_answers, strike_secrets

if TYPE_CHECKING:
    import httpx
    from label_studio_sdk.core.api_error import ApiError

_ADVICE = {
    401: "the token is not valid there; copy it again from Account & Settings",
    403: "the account of this token lacks the permission; use an administrator's token",
    404: "it does not exist (any more), or the token's account may not see it; if the project was "
    "deleted, `biasloop reconcile --new-project` makes a new one, sends what is open and keeps "
    "every vote",
}


MAX_BYTES = 2**28
"""A larger answer is not read to its end."""


def limit_client(http: "httpx.Client", timeout: float) -> None:
    """Limits each answer that this client reads to `timeout` seconds in all, and to MAX_BYTES."""
    import httpx

    limit_answers(http, seconds=timeout, size=MAX_BYTES, byte_stream=httpx.ByteStream)


@contextmanager
def calling(url: str, purpose: str, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Turns what the SDK and httpx raise into LabelStudioDown or LabelStudioRefused, without the
    secrets that their messages may repeat."""
    import httpx
    from label_studio_sdk.core.api_error import ApiError

    shown = hide_password(url)
    try:
        yield
    except ApiError as error:
        answer = _error_from_answer(shown, purpose, error)
        message = strike_secrets(str(answer), secrets)
        raise type(answer)(message, status=error.status_code) from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        raise LabelStudioRefused(
            f"cannot {purpose}: {shown!r} is not the address of a Label Studio; write it as "
            "http://host:port"
        ) from None
    except (httpx.TimeoutException, TooSlow):
        raise LabelStudioDown(
            f"cannot {purpose}: Label Studio at {shown} did not answer in time; it may have "
            "done it nevertheless, so check before you repeat it"
        ) from None
    except (httpx.TransportError, httpx.TooManyRedirects) as error:
        raise LabelStudioDown(
            f"cannot {purpose}: no connection to Label Studio at {shown} "
            f"({strike_secrets(str(error), secrets)}); is it running?"
        ) from None
    except BadAnswer as error:
        raise LabelStudioDown(
            f"cannot {purpose}: {shown} sent {error}; is that Label Studio?"
        ) from None
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise LabelStudioDown(
            f"cannot {purpose}: {shown} answered what Label Studio never answers "
            f"({type(error).__name__}); is that Label Studio, and does a proxy change its answers?"
        ) from error


def _error_from_answer(url: str, purpose: str, error: "ApiError") -> LabelStudioError:
    status = error.status_code
    if not isinstance(error.body, dict | list):
        # A proxy, an error page of Django, or an unrelated server on that port.
        return LabelStudioDown(
            f"cannot {purpose}: {url} answered {status} without JSON; is that Label Studio, and "
            "has it finished starting?"
        )
    if status is None or status >= 500 or status == 429:
        return LabelStudioDown(
            f"cannot {purpose}: Label Studio at {url} failed ({status}): {_detail(error.body)}; "
            "see its log if this goes on"
        )
    advice = _ADVICE.get(status, "correct what it refers to")
    return LabelStudioRefused(
        f"cannot {purpose}: Label Studio at {url} refused ({status}): {_detail(error.body)}; "
        f"{advice}"
    )


def failed_inside(error: LabelStudioDown) -> bool:
    """Whether Label Studio itself failed at this request, as it does when one of the records that
    it should list cannot be written as JSON."""
    return error.status == HTTPStatus.INTERNAL_SERVER_ERROR


def _detail(body: Any) -> str:
    """The server's own message, without its metadata."""
    if isinstance(body, dict):
        body = body.get("validation_errors") or body.get("detail") or body
    return str(body)[:500]


@contextmanager
def may_be_gone() -> Iterator[None]:
    """Ignores that Label Studio does not find what the call refers to."""
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise
