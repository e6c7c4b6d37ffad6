"""Secrets: they must never reach a log, the ledger or a page."""

import os
from hashlib import sha256
from hmac import digest
from pathlib import Path

from pydantic import SecretStr

from biasloop.errors import ConfigError

SECRETS_FILE = "secrets"
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
