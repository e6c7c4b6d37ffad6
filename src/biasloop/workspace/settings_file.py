"""Reads the settings of a workspace: biasloop.toml, overridden by BIASLOOP_* in the environment.

Unknown keys are refused. Secrets are no settings: they come from the environment or from the file
`secrets` of the workspace, and are never logged or shown.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from biasloop.errors import ConfigError, describe_problem
from biasloop.workspace.layout import Layout
from biasloop.workspace.secrets import SECRET_NAMES
from biasloop.workspace.section import Section
from biasloop.workspace.settings import ClassifierSettings, Settings

SETTINGS_FILE = "biasloop.toml"
PREFIX = "BIASLOOP_"
WITH_PRETRAINED = (
    "# Better than the default, and slower: a pretrained model for about 100 languages (0.5 GB,",
    "# fetched once; see docs/classifiers.md). To use it, remove the # of the next two lines.",
    '# name = "embedding"',
    '# options = { model = "intfloat/multilingual-e5-small" }',
)
"""Lines of the template: an example of another classifier, commented out."""
NO_SETTINGS = {f"{PREFIX}{name}" for name in (*SECRET_NAMES, "WORKSPACE", "TRACEBACK")}
"""Variables of the environment that are not settings, but known all the same."""


def read_settings(workspace: Path) -> Settings:
    """The settings of this workspace. Raises ConfigError, which names every wrong key."""
    values = _read_file(workspace)
    path = workspace / SETTINGS_FILE
    if unknown := unknown_variables(os.environ):
        raise ConfigError(
            f"{', '.join(unknown)} in the environment: there is no such setting; "
            f"a setting is {PREFIX}<SECTION>__<NAME>, and the sections are "
            f"{', '.join(_sections())}"
        )
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {_describe(e)}" for e in error.errors()
        )
        raise ConfigError(f"{path} (or BIASLOOP_* in the environment): {problems}") from None
    except SettingsError as error:
        raise ConfigError(f"BIASLOOP_* in the environment: {error}; it must be JSON") from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """The variables that look like settings but are none, because their section or their name is
    mistyped; Settings would ignore them. Names below a section are left to it."""
    fields = Settings.model_fields.keys()
    return sorted(
        name
        for name in environment
        if name.upper().startswith(PREFIX)
        and name.upper() not in NO_SETTINGS
        and name.upper().removeprefix(PREFIX).partition("__")[0].lower() not in fields
    )


def _sections() -> list[str]:
    return [name for name, f in Settings.model_fields.items() if isinstance(f.default, Section)]


def digest_settings(layout: Layout) -> dict[str, str]:
    """What a service reads once, when it starts: a digest by key of biasloop.toml (such as
    loop.batch_size), and by name of the campaign's files other than the guideline."""
    try:
        values = _flatten(_read_file(layout.folder))
    except ConfigError as error:
        values = {SETTINGS_FILE: str(error)}
    for name in ("campaign.toml", "label_config.xml"):
        path = layout.campaign / name
        content = path.read_text("utf-8", "replace") if path.exists() else ""
        values[f"{layout.campaign.name}/{name}"] = content
    return {key: _digest(value) for key, value in values.items()}


def _flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of sections, as section.key."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        below = value if isinstance(value, dict) else {"": value}
        flat |= {f"{name}.{key}".rstrip("."): inner for key, inner in below.items()}
    return flat


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _read_file(workspace: Path) -> dict[str, Any]:
    """What biasloop.toml says. Raises ConfigError."""
    path = workspace / SETTINGS_FILE
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"{workspace} is not a workspace: it has no {SETTINGS_FILE}; make one with "
            "`biasloop init DIR --campaign NAME`, or name another one with --workspace"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def _describe(error: ErrorDetails) -> str:
    """What is wrong with a key; for an unknown one, also which settings its section has."""
    fields: Mapping[str, FieldInfo] = Settings.model_fields
    if error["type"] == "extra_forbidden":
        for section in error["loc"][:-1]:
            fields = type(fields[str(section)].default).model_fields
    return describe_problem(error, fields)


def template() -> str:
    """The biasloop.toml that `init` writes: every setting, commented out, with its description, and
    an example of a classifier with a pretrained model."""
    lines = [
        "# Settings of this biasloop workspace. Lines show the defaults; remove the # to change",
        "# one. BIASLOOP_<SECTION>__<NAME> in the environment overrides this file.",
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
        if section is ClassifierSettings:
            lines += WITH_PRETRAINED
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)
