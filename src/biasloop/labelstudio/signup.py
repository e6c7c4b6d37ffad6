"""Creates an account with a password, through the sign-up form.

Label Studio Community has no API that sets a password. While sign-up is closed, the form still
accepts the organization's invitation, which can be requested with the administrator's token.
"""

import re

from biasloop.errors import LabelStudioDown, LabelStudioRefused
from biasloop.foreign import strike_secrets
from biasloop.labelstudio.calls import calling, limit_client

_FIELD_ERRORS = re.compile(r'<ul class="field_errors">(.*?)</ul>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def sign_up(url: str, invitation: str, email: str, password: str, timeout: float) -> None:
    """Submits the form. Raises LabelStudioRefused with the form's own error messages."""
    import httpx

    purpose = f"create an account for {email}"
    secrets = [invitation, password]
    with calling(url, purpose, secrets), httpx.Client(base_url=url, timeout=timeout) as http:
        limit_client(http, timeout)
        form = http.get("/user/signup/", params={"token": invitation})
        answer = http.post(
            "/user/signup/",
            params={"token": invitation},
            data={
                "email": email,
                "password": password,
                "allow_newsletters": "false",
                "csrfmiddlewaretoken": http.cookies.get("csrftoken", ""),
            },
            headers={"Referer": str(form.url)},
        )
    if answer.is_redirect:
        return
    if answer.is_server_error:
        raise LabelStudioDown(f"cannot {purpose}: Label Studio at {url} failed; see its log")
    messages = " ".join(_TAG.sub(" ", " ".join(_FIELD_ERRORS.findall(answer.text))).split())
    messages = strike_secrets(messages, secrets)
    raise LabelStudioRefused(
        f"cannot {purpose}: Label Studio at {url} says: "
        f"{messages or f'status {answer.status_code}'}; choose another address or password"
    )
