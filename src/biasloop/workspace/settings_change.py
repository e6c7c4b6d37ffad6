"""Changes settings in biasloop.toml, and leaves everything else in the file as it is."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError

from biasloop.errors import ConfigError, describe_problems
from biasloop.store.atomic import write_whole
from biasloop.workspace.settings import Settings
from biasloop.workspace.settings_file import PREFIX, SETTINGS_FILE


def change_settings(workspace: Path, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Sets these keys, by section.

    Raises ConfigError, with the file unchanged, for a value that does not fit, and where the
    environment overrides one of them.
    """
    for section, values in changes.items():
        for key in values:
            if (name := f"{PREFIX}{section}__{key}".upper()) in map(str.upper, os.environ):
                raise ConfigError(f"{name} in the environment overrides {SETTINGS_FILE}; unset it")
    path = workspace / SETTINGS_FILE
    document = tomlkit.parse(path.read_text("utf-8"))
    for section, values in changes.items():
        if section not in document:
            document.add(section, tomlkit.table())
        document[section].update(values)
    try:
        Settings(**document.unwrap())
    except ValidationError as error:
        raise ConfigError(describe_problems(error.errors())) from None
    write_whole(path, tomlkit.dumps(document))
