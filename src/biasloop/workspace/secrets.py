"""What must never reach a log, the ledger or a page."""

import os
from pathlib import Path

from pydantic import SecretStr

from biasloop.errors import ConfigError

SECRETS_FILE = "secrets"


SECRET_NAMES = ("LABEL_STUDIO_TOKEN", "LABEL_STUDIO_PASSWORD", "LLM_API_KEY")


def read_secrets(workspace: Path) -> dict[str, SecretStr]:
    """Secrets by name: the environment's (BIASLOOP_<NAME>) over the workspace's file.

    The file holds lines NAME=value and must be readable by its owner alone.
    Raises ConfigError when others may read it.
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
        if found := os.environ.get(f"BIASLOOP_{name}"):
            values[name] = found
    return {name: SecretStr(value) for name, value in values.items()}


def write_secrets(workspace: Path, values: dict[str, str]) -> None:
    """Writes the secrets file with mode 0600 from its first byte on."""
    path = workspace / SECRETS_FILE
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(handle, 0o600)  # a file that was there keeps its mode
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
