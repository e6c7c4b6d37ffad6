"""Settings and secrets of a workspace."""

import os
import stat
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from biasloop.errors import ConfigError
from biasloop.plugins.registry import Kind, check_options
from biasloop.workspace.secrets import read_secrets, write_secrets
from biasloop.workspace.settings import Settings
from biasloop.workspace.settings_file import WITH_PRETRAINED, read_settings, template


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("BIASLOOP_"):
            monkeypatch.delenv(name)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "biasloop.toml").write_text(template(), "utf-8")
    return tmp_path


def put(workspace: Path, text: str) -> Path:
    (workspace / "biasloop.toml").write_text(text, "utf-8")
    return workspace


def every_setting() -> Iterator[tuple[str, str, FieldInfo]]:
    """(section, name, field); the section is "" at the top."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            for inner_name, inner_field in type(field.default).model_fields.items():
                yield name, inner_name, inner_field
        else:
            yield "", name, field


def without_example(text: str) -> str:
    example = "\n".join(WITH_PRETRAINED) + "\n"
    assert example in text
    return text.replace(example, "")


# --- the template ---------------------------------------------------------------------------------


def test_the_template_describes_every_setting() -> None:
    section, lines = "", without_example(template()).splitlines()
    comments: dict[tuple[str, str], str] = {}
    for before, line in pairwise(lines):
        if line.startswith("["):
            section = line[1 : line.index("]")]
        elif line.startswith("# ") and " = " in line:
            comments[section, line[2:].partition(" = ")[0]] = before
    described = {
        (section, name): f"# {field.description}" for section, name, field in every_setting()
    }
    assert comments == described
    assert all(len(text) > 10 and text.endswith(".") for text in described.values())


def test_the_template_holds_the_defaults(workspace: Path) -> None:
    assert read_settings(workspace) == Settings()
    uncommented = [
        line[2:] if line.startswith("# ") and " = " in line else line
        for line in without_example(template()).splitlines()
    ]
    values = tomllib.loads("\n".join(uncommented))
    assert read_settings(put(workspace, "\n".join(uncommented))) == Settings()
    for section, name, _ in every_setting():
        assert name in (values[section] if section else values)


def test_the_example_of_a_classifier_only_needs_its_marks_removed(workspace: Path) -> None:
    name, options = WITH_PRETRAINED[-2:]
    text = template().replace(name, name[2:]).replace(options, options[2:])
    classifier = read_settings(put(workspace, text)).classifier
    assert classifier.name == "embedding"
    checked = check_options(Kind.CLASSIFIER, classifier.name, classifier.options)
    assert checked.model == "intfloat/multilingual-e5-small"
    assert read_settings(workspace).loop == Settings().loop  # the lines stand in their section


# --- reading --------------------------------------------------------------------------------------


def test_a_file_says_what_differs(workspace: Path) -> None:
    put(workspace, "seed = 7\n[loop]\nbatch_size = 20\ninterval_minutes = 1.5\n[web]\nport = 9\n")
    settings = read_settings(workspace)
    assert (settings.seed, settings.loop.batch_size, settings.web.port) == (7, 20, 9)
    assert settings.loop.low_water == Settings().loop.low_water
    assert settings.opening.batch_size == 20
    assert settings.opening.interval == timedelta(seconds=90)
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 8
    with pytest.raises(ValueError, match="frozen"):
        settings.loop.batch_size = 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 1", "sed: "),
        ("[loop]\nbatchsize = 1", "loop.batchsize: "),
        ("[lop]\nbatch_size = 1", "lop: "),
        ("[loop]\nbatch_size = 0", "loop.batch_size: "),
        ("[loop]\naudit_share = 1.5", "loop.audit_share: "),
        ('[loop]\npromote = "never"', "loop.promote: "),
        ('seed = "many"', "seed: "),
        ("loop = 3", "loop: must be a table"),
        ("[classifier]\noptions = 0.9", "classifier.options: must be a table"),
        ("[loop]\nbatch_size = 1.5", "loop.batch_size: must be a whole number, not 1.5"),
    ],
)
def test_a_wrong_key_is_refused_by_name(workspace: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_settings(put(workspace, text))
    assert f"biasloop.toml (or BIASLOOP_* in the environment): {message}" in str(error.value)


def test_the_message_about_an_unknown_key_lists_the_settings_of_its_section(
    workspace: Path,
) -> None:
    for text, names in (("sed = 1", "seed, ledger_url, loop,"), ("[web]\nhots = 1", "host, port")):
        with pytest.raises(ConfigError, match=f"no such setting; the settings here are {names}"):
            read_settings(put(workspace, text))


def test_all_wrong_keys_are_reported_together(workspace: Path) -> None:
    with pytest.raises(ConfigError, match=r"loop\.x: .*; sed: |sed: .*; loop\.x: "):
        read_settings(put(workspace, "sed = 1\n[loop]\nx = 1"))


@pytest.mark.parametrize("content", [b"seed = ", b"seed = 1\nseed = 2", b'seed = "\xff"'])
def test_broken_toml_names_the_file(workspace: Path, content: bytes) -> None:
    (workspace / "biasloop.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"biasloop\.toml is not valid TOML"):
        read_settings(workspace)


def test_the_message_without_a_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "not there", tmp_path / "file"):
        with pytest.raises(ConfigError, match=r"is not a workspace.*`biasloop init DIR"):
            read_settings(folder)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "biasloop.toml").mkdir()
    with pytest.raises(ConfigError, match=r"biasloop\.toml cannot be read: .*directory"):
        read_settings(tmp_path)


# --- the environment ------------------------------------------------------------------------------


def test_the_environment_wins_over_the_file(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(workspace, "seed = 7\n[loop]\nbatch_size = 20\nbudget = 300\n")
    monkeypatch.setenv("BIASLOOP_SEED", "9")
    monkeypatch.setenv("BIASLOOP_LOOP__BATCH_SIZE", "5")
    monkeypatch.setenv("BIASLOOP_EXPANDER__NAMES", '["a", "b"]')
    monkeypatch.setenv("BIASLOOP_WEB__PORT", "")  # as an unset variable of a container
    settings = read_settings(workspace)
    assert (settings.seed, settings.loop.batch_size) == (9, 5)
    assert settings.loop.budget == 300  # the rest of a section stays the file's
    assert settings.expander.names == ("a", "b")
    assert settings.web.port == Settings().web.port


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LOOP__BATCH_SIZE", "many", "loop.batch_size"),
        ("LOOP__BATCHSIZE", "5", "loop.batchsize"),
        ("EXPANDER__NAMES", "counterfactual", "expander"),
        ("LOOP", "no json", "loop"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"BIASLOOP_{name}", value)
    with pytest.raises(ConfigError, match=rf"BIASLOOP_\* in the environment.*{message}"):
        read_settings(workspace)


# --- secrets --------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_read_back_and_never_shown(tmp_path: Path) -> None:
    write_secrets(tmp_path, {"LABEL_STUDIO_TOKEN": "geheim=1", "OTHER": "geheim2"})
    secrets = read_secrets(tmp_path)
    assert {name: value.get_secret_value() for name, value in secrets.items()} == {
        "LABEL_STUDIO_TOKEN": "geheim=1",
        "OTHER": "geheim2",
    }
    assert "geheim" not in str(secrets) + repr(secrets)
    assert isinstance(secrets["OTHER"], SecretStr)


@pytest.mark.parametrize("earlier", [None, 0o644, 0o666])
def test_only_the_owner_can_read_a_secrets_file(tmp_path: Path, earlier: int | None) -> None:
    if earlier is not None:
        (tmp_path / "secrets").write_text("OLD=1\n")
        (tmp_path / "secrets").chmod(earlier)
    mask = os.umask(0)
    try:
        write_secrets(tmp_path, {"NEW": "2"})
    finally:
        os.umask(mask)
    assert mode(tmp_path / "secrets") == 0o600
    assert set(read_secrets(tmp_path)) == {"NEW"}


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o644])
def test_secrets_that_others_may_read_are_refused(tmp_path: Path, bits: int) -> None:
    write_secrets(tmp_path, {"TOKEN": "geheim"})
    (tmp_path / "secrets").chmod(bits)
    with pytest.raises(ConfigError, match=r"run: chmod 600 .*/secrets") as error:
        read_secrets(tmp_path)
    assert "geheim" not in str(error.value)


def test_secrets_of_the_environment_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_secrets(tmp_path) == {}
    write_secrets(tmp_path, {"LABEL_STUDIO_TOKEN": "file", "LABEL_STUDIO_PASSWORD": "file"})
    monkeypatch.setenv("BIASLOOP_LABEL_STUDIO_TOKEN", "environment")
    secrets = read_secrets(tmp_path)
    assert secrets["LABEL_STUDIO_TOKEN"].get_secret_value() == "environment"
    assert secrets["LABEL_STUDIO_PASSWORD"].get_secret_value() == "file"
