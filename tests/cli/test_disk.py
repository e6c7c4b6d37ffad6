"""A full disk and a read-only one: what is wrong is named, nothing is lost, and it goes on."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from biasloop.domain.round import State
from biasloop.service.service import Service
from support.cli import Cli, one_line, write_jsonl

SIZE = 16 * 2**20
BLOCK = b"x" * 4096


class Disk:
    """A small real file system; needs the right to mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(
                f"no right to mount a file system ({done.stderr.strip()}); what a limit on file "
                "sizes shows instead is in test_status_doctor"
            )

    def fill(self, leave: int = 0) -> None:
        """Takes all room but `leave` bytes."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(BLOCK)
            except OSError:
                ballast.truncate(max(0, ballast.tell() - leave))

    def make_room(self) -> None:
        (self.folder / "ballast").unlink()

    def may_be_written(self, yes: bool) -> None:
        mode = "remount,rw" if yes else "remount,ro"
        subprocess.run(["mount", "-o", mode, self.folder], check=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


@pytest.fixture
def on_disk(trained: Path, disk: Disk) -> Cli:
    """The command line on a trained workspace on the small disk."""
    return Cli(Path(shutil.copytree(trained, disk.folder / "workspace")))


def test_nothing_can_be_written(on_disk: Cli, disk: Disk, tmp_path: Path) -> None:
    new = write_jsonl(tmp_path / "new.jsonl", {"id": "new", "text": "Cercasi cuoco a Como."})
    before = on_disk.json("status")
    disk.fill()
    for command in (["status"], ["import", new]):
        told = on_disk.error(*command)
        assert str(disk.folder) in told
        assert "free space" in told
    checked = on_disk.run("doctor")
    assert checked.returncode == 1
    assert f"{on_disk.workspace} cannot be written: No space left" in checked.stdout

    disk.make_room()
    assert on_disk.json("status") == before
    assert on_disk.json("import", new)[str(new)]["rejects"] == 0


def test_a_disk_that_a_training_fills(on_disk: Cli, disk: Disk) -> None:
    disk.fill(leave=600_000)  # enough for the ledger, not for a model
    told = on_disk.error("train")
    assert "free" in told
    assert str(on_disk.workspace) in told
    assert len(on_disk.json("models", "list")) == 1
    disk.make_room()
    on_disk("train")
    assert len(on_disk.json("models", "list")) == 2


@pytest.mark.parametrize("format", ["parquet", "csv", "jsonl", "datasets"])
def test_an_export_that_finds_no_room(
    trained: Path, disk: Disk, tmp_path: Path, format: str
) -> None:
    cli, to = Cli(trained), disk.folder / "given"
    for room in (0, 20_000, 60_000):
        disk.fill(leave=room)
        done = cli.process("export", "--all", "--format", format, "--to", to)
        told = one_line(done)
        assert told.startswith(f"error: cannot use {to}: ")
        assert "No space left" in told
        assert [path.name for path in disk.folder.iterdir()] == ["ballast"]
    disk.make_room()
    cli("export", "--all", "--format", format, "--to", to)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_verdicts_that_find_no_room(trained: Path, disk: Disk, tmp_path: Path, suffix: str) -> None:
    cli, to = Cli(trained), disk.folder / f"out.{suffix}"
    texts = [{"id": n, "text": f"Cercasi cuoco per la sede {n}."} for n in range(300)]
    source = write_jsonl(tmp_path / "ads.jsonl", *texts)
    for room in (0, 50_000, 150_000):
        disk.fill(leave=room)
        told = cli.error("classify", source, "--to", to)
        assert str(to) in told
        assert "No space left" in told
        assert not to.exists()
    disk.make_room()
    cli("classify", source, "--to", to)
    cli("classify", source, "--to", tmp_path / to.name)
    assert to.read_bytes() == (tmp_path / to.name).read_bytes()


@pytest.mark.parametrize("folder", ["work", "scores"])
def test_a_step_waits_for_room_and_goes_on(
    cli_with_model: Cli, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """The ledger has room, one folder of the round has none."""
    full = Disk(cli_with_model.workspace / folder)
    monkeypatch.setenv("BIASLOOP_SCHEDULER__RETRY_BASE_SECONDS", "0.1")
    service = Service(cli_with_model.workspace)
    try:
        full.fill()
        told = [service.loop.tick() for _ in range(2)]
        assert any("free" in str(line) for line in told)
        (round_,) = service.ledger.rounds.all()
        assert round_.attempts == 1
        assert str(cli_with_model.workspace) in str(round_.error)
        full.make_room()
        time.sleep(0.2)  # until it is tried again
        while service.ledger.rounds.get(0).state is not State.SELECTED:
            assert "failed" not in str(service.loop.tick())
        assert service.ledger.rounds.get(0).error is None
    finally:
        service.ledger.close()
        full.close()


@pytest.fixture
def read_only(cli_with_model: Cli, tmp_path: Path) -> Iterator[Cli]:
    """A workspace that may not be written: by rights, or for root by a read-only mount."""
    folder = cli_with_model.workspace
    if os.geteuid():
        subprocess.run(["chmod", "-R", "a-w", folder], check=True)
        yield cli_with_model
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        return
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield cli_with_model
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_read_only_workspace(read_only: Cli, tmp_path: Path) -> None:
    """Someone who may only read it can look at everything, and is told what needs more."""
    assert read_only.json("status")["model_in_service"]
    item = str(Service(read_only.workspace).pool.column("id")[0])
    for command in (
        ["trip", item],
        ["annotators"],
        ["models", "list"],
        ["policy"],
        ["classify", "x"],
    ):
        read_only(*command)
    for kind in (["--verdicts"], []):
        read_only("export", "--format", "csv", "--to", tmp_path / f"out{kind}", *kind)
    told = read_only.error("pause")
    assert str(read_only.workspace) in told
    assert "is writable" in told
    assert f"{read_only.workspace} cannot be written" in read_only.run("doctor").stdout
    copied = Cli(Path(shutil.copytree(read_only.workspace, tmp_path / "copy")))
    subprocess.run(["chmod", "-R", "u+w", copied.workspace], check=True)
    assert copied.json("status")["rounds"] == []
