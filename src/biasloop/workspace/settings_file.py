"""Reads the settings of a workspace: biasloop.toml, overridden by BIASLOOP_* in the environment.

Unknown keys are refused. Secrets are no settings: they come from the environment or from the file
`secrets` of the workspace, and are never logged or shown.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from biasloop.errors import ConfigError
from biasloop.workspace.settings import Section, Settings

SETTINGS_FILE = "biasloop.toml"


def read_settings(workspace: Path) -> Settings:
    """The settings of this workspace. Raises ConfigError, which names every wrong key."""
    path = workspace / SETTINGS_FILE
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"{workspace} is not a workspace: it has no {SETTINGS_FILE}; make one with "
            "`biasloop init DIR --campaign NAME`, or name another one with --workspace"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {_describe(e)}" for e in error.errors()
        )
        raise ConfigError(f"{path} (or BIASLOOP_* in the environment): {problems}") from None
    except SettingsError as error:
        raise ConfigError(f"BIASLOOP_* in the environment: {error}; it must be JSON") from None


def _describe(error: ErrorDetails) -> str:
    """What is wrong with a key; for an unknown one, also which settings its section has."""
    if error["type"] != "extra_forbidden":
        return error["msg"]
    fields: Mapping[str, FieldInfo] = Settings.model_fields
    for section in error["loc"][:-1]:
        fields = type(fields[str(section)].default).model_fields
    return f"there is no such setting; the settings here are {', '.join(fields)}"


def template() -> str:
    """The biasloop.toml that `init` writes: every setting, commented out, with its description."""
    lines = [
        "# Settings of this biasloop workspace. Every line shows the default; remove the # to",
        "# change it. BIASLOOP_<SECTION>__<NAME> in the environment overrides this file.",
    ]
    sections = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, Section):
            sections.append((name, type(field.default)))
        else:
            lines += ["", f"# {field.description}", f"# {name} = {_toml(field.default)}"]
    for name, section in sections:
        lines += ["", f"[{name}]  # {(section.__doc__ or '').strip()}"]
        for key, field in section.model_fields.items():
            lines += [f"# {field.description}", f"# {key} = {_toml(field.default)}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)
