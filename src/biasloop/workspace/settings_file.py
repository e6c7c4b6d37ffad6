"""The settings of a workspace: biasloop.toml, overridden by BIASLOOP_* in the environment.

One frozen model, read once; unknown keys are refused. Secrets are not among them: they come from
the environment or from the workspace's `secrets` file and are never logged or shown.
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
    """The settings of this workspace. Raises ConfigError, naming each wrong key."""
    path = workspace / SETTINGS_FILE
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"{workspace} is no workspace: it has no {SETTINGS_FILE}; "
            "`biasloop init DIR --campaign NAME` makes one, --workspace names another"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    try:
        return Settings(**values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {_told(e)}" for e in error.errors())
        raise ConfigError(f"{path} (or BIASLOOP_* in the environment): {wrong}") from None
    except SettingsError as error:
        raise ConfigError(f"BIASLOOP_* in the environment: {error}; it must be JSON") from None


def _told(error: ErrorDetails) -> str:
    """What is wrong with a key; of an unknown one, which there are in its place."""
    if error["type"] != "extra_forbidden":
        return error["msg"]
    known: Mapping[str, FieldInfo] = Settings.model_fields
    for section in error["loc"][:-1]:
        known = type(known[str(section)].default).model_fields
    return f"there is no such setting here; known are {', '.join(known)}"


def template() -> str:
    """The biasloop.toml that `init` writes: every setting, commented out, with its meaning."""
    lines = [
        "# Settings of this biasloop workspace. Every line shows the default; take the # away",
        "# to change it. BIASLOOP_<SECTION>__<NAME> in the environment wins over this file.",
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
