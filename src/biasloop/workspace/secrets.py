"""Secrets: they must never reach a log, the ledger or a page."""

import os
import re
from contextlib import suppress
from hashlib import sha256
from hmac import digest
from pathlib import Path
from secrets import token_hex

from pydantic import SecretStr

from biasloop.errors import ConfigError

SECRETS_FILE = "secrets"
ACCESS_KEY_FILE = "access-key"
SECRET_NAMES = ("LABEL_STUDIO_TOKEN", "LABEL_STUDIO_PASSWORD", "LLM_API_KEY")


def read_secrets(workspace: Path) -> dict[str, SecretStr]:
    """Secrets by name, from the environment (BIASLOOP_<NAME>) or else from the workspace's file.

    The file has lines NAME=value. Raises ConfigError when others than its owner may read it.
    """
    path = workspace / SECRETS_FILE
    values: dict[str, str] = {}
    if path.exists():
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
        for line in path.read_text("utf-8").splitlines():
            name, equals, value = line.partition("=")
            if equals:
                values[name.strip()] = value.strip()
    for name in SECRET_NAMES:
        if secret := os.environ.get(f"BIASLOOP_{name}"):
            values[name] = secret
    return {name: SecretStr(value) for name, value in values.items()}


def write_secrets(workspace: Path, values: dict[str, str]) -> None:
    """Writes the secrets file; it has mode 0600 before the first byte is written."""
    path = workspace / SECRETS_FILE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # os.open leaves the mode of an existing file as it is
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


def webhook_secret(workspace: Path) -> str | None:
    """What a webhook must bring to be Label Studio's; None without a token of Label Studio.

    It is derived from the token, so that every process of a workspace knows it and nothing more is
    stored. The token cannot be computed from it.
    """
    token = read_secrets(workspace).get("LABEL_STUDIO_TOKEN")
    if token is None:
        return None
    return digest(token.get_secret_value().encode(), b"biasloop webhook", sha256).hex()


def access_key(workspace: Path) -> str:
    """The key from which the passwords of annotators in Label Studio are computed. It is made when
    it is first needed, in a file of its own that only its owner can read.

    Raises ConfigError when the file cannot be made or read, or holds no key.
    """
    path = workspace / ACCESS_KEY_FILE
    try:
        if not path.exists():
            draft = workspace / f"{ACCESS_KEY_FILE}.{token_hex(4)}.tmp"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(token_hex(32))
                with suppress(FileExistsError):  # another process was faster
                    os.link(draft, path)
            finally:
                draft.unlink()
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(
            f"cannot read or make {path}: {error.strerror}; check free space and permissions"
        ) from None
    if not re.fullmatch(rb"[0-9a-f]{64}", key):
        raise ConfigError(
            f"{path} holds no key; restore it from a backup, or delete it: annotators then need "
            "new accounts in Label Studio (`biasloop annotator remove` and `add`)"
        )
    return key.decode()
