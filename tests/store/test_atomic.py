"""Files and folders appear whole or not at all."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.store import atomic
from biasloop.store.atomic import read_if_intact, remove_leftovers, write_whole, written_whole

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


def test_each_of_many_threads_writes_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([number]) * 100_000 for number in range(8)]

    def write(content: bytes) -> None:
        for _ in range(10):
            write_whole(path, content)
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, contents))
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_content_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power failure could leave the new name with no content."""
    path = tmp_path / "name"
    flushed: list[int] = []

    def fsync(descriptor: int) -> None:
        assert not path.exists()
        flushed.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    with written_whole(path) as temporary:
        if kind == "folder":
            (temporary / "in").mkdir(parents=True)
            (temporary / "in" / "part").write_text("whole")
            (temporary / "link").symlink_to("nowhere")
        else:
            temporary.write_text("whole")
    file = path / "in" / "part" if kind == "folder" else path
    assert file.stat().st_ino in flushed


def test_what_cannot_be_read_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    file = tmp_path / "file.json"

    def read(path: Path) -> object:
        return json.loads(path.read_text("utf-8"))

    assert read_if_intact(file, read) is None
    for content in ("", '{"a": ', "[" * 100_000):
        file.write_text(content)
        assert read_if_intact(file, read) is None
    file.write_text('{"a": 1}')
    assert read_if_intact(file, read) == {"a": 1}


def test_that_memory_is_short_is_no_damage(tmp_path: Path) -> None:
    def read(path: Path) -> object:
        raise MemoryError

    with pytest.raises(MemoryError):
        read_if_intact(tmp_path, read)


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
