"""Files and folders appear whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.store import atomic
from biasloop.store.atomic import remove_leftovers, write_whole, written_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from biasloop.store.atomic import written_whole
with written_whole(Path(sys.argv[1])) as temporary:
    if sys.argv[2] == "folder":
        temporary.mkdir()
        temporary /= "part"
    with temporary.open("w") as file:
        file.write("half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_while_writing(path: Path, kind: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, path, kind], check=False)
    assert done.returncode < 0


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(content=st.one_of(st.text(), st.binary()), old=st.none() | st.binary())
def test_what_is_read_is_what_was_written(
    content: str | bytes, old: bytes | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("folder") / "file"
    if old is not None:
        path.write_bytes(old)
    write_whole(path, content)
    expected = content.encode() if isinstance(content, str) else content
    assert path.read_bytes() == expected
    assert names(path.parent) == ["file"]


def test_a_writer_that_is_killed_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_whole(path, "old")
    kill_while_writing(path, "file")
    assert path.read_text("utf-8") == "old"
    assert len(names(tmp_path)) == 2
    write_whole(path, "new")  # what the killed one left does not count
    assert path.read_text("utf-8") == "new"


def test_a_writer_that_is_killed_leaves_no_folder_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    kill_while_writing(path, "folder")
    assert not path.exists()
    with written_whole(path) as temporary:
        temporary.mkdir()
        (temporary / "part").write_text("whole")
    assert names(path) == ["part"]
    assert (path / "part").read_text("utf-8") == "whole"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_writer_that_fails_leaves_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "old"
    path.write_text("old")

    def write_half() -> None:
        with written_whole(path) as temporary:
            if kind == "folder":
                temporary.mkdir()
                (temporary / "part").write_text("half")
            else:
                temporary.write_text("half")
            raise ValueError("midway")

    with pytest.raises(ValueError, match="midway"):
        write_half()
    assert names(tmp_path) == ["old"]
    assert path.read_text("utf-8") == "old"


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "theirs").write_text("kept")
    with pytest.raises(OSError, match="not empty"), written_whole(path) as temporary:
        temporary.mkdir()
    assert names(tmp_path) == ["folder"]
    assert names(path) == ["theirs"]


def test_a_writer_starts_with_nothing(tmp_path: Path) -> None:
    """A process of the same id may have been killed before."""
    path = tmp_path / "folder"
    leftover = tmp_path / f"folder.{os.getpid()}.tmp"
    leftover.mkdir()
    (leftover / "half").write_text("half")
    with written_whole(path) as temporary:
        temporary.mkdir()
    assert names(path) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_leftovers_are_removed_when_they_are_old(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old [1]"
    kill_while_writing(path, kind)
    other = tmp_path / "old 1.4711.tmp"
    other.write_text("of another file")
    with written_whole(path) as temporary:
        temporary.write_text("whole")
    assert len(names(tmp_path)) == 3  # another process may be writing yet
    monkeypatch.setattr(atomic, "DAY", 0.0)
    write_whole(path, "whole")
    assert names(tmp_path) == [other.name, path.name]


def test_leftovers_are_removed_at_once_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    kill_while_writing(path, "file")
    remove_leftovers(path)
    assert names(tmp_path) == []
