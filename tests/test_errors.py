"""What users see of an error of the operating system."""

import shutil
from pathlib import Path

import pytest

from biasloop.errors import describe_error


def test_a_folder_that_cannot_be_copied_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(3):
        (source / str(number)).touch()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(shutil.Error) as error:
        shutil.copytree(source, tmp_path / "copy", copy_function=full)
    text = describe_error(error.value)
    assert text.startswith("cannot use: [Errno 28] No space left on device; check path")
    assert "[(" not in text
