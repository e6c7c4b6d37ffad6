"""The server that biasloop starts itself."""

import os
import shutil
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest

from biasloop.errors import BiasloopError, LabelStudioRefused
from biasloop.labelstudio.embedded import EmbeddedLabelStudio
from support.labelstudio_server import Server
from support.ports import free_port
from support.served import wait_until

VENV = Path(sys.prefix + "-labelstudio")

PARENT = """
import sys, time
from pathlib import Path
from biasloop.labelstudio.embedded import EmbeddedLabelStudio
venv, data_dir, port, email, password, token = sys.argv[1:]
EmbeddedLabelStudio(Path(venv), Path(data_dir), int(port), email=email, password=password,
                    token=token, on_line=lambda line: print(line, flush=True)).start()
print("READY", flush=True)
time.sleep(600)
"""


def embedded(
    server: Server, data_dir: Path, port: int, lines: list[str], **changed: str
) -> EmbeddedLabelStudio:
    account = {"email": server.email, "password": server.password, "token": server.token}
    return EmbeddedLabelStudio(VENV, data_dir, port, **(account | changed), on_line=lines.append)


@pytest.fixture
def data_dir(label_studio_server: Server, tmp_path: Path) -> Path:
    """A copy of the running server's data: a first boot takes half a minute."""
    copy = tmp_path / "data"
    shutil.copytree(label_studio_server.data_dir, copy, ignore=shutil.ignore_patterns("*.pid"))
    return copy


def test_a_server_survives_its_killed_parent_and_is_adopted(
    label_studio_server: Server, data_dir: Path
) -> None:
    server, port, lines = label_studio_server, free_port(), []
    command = [sys.executable, "-c", PARENT, str(VENV), str(data_dir), str(port)]
    with subprocess.Popen(
        [*command, server.email, server.password, server.token],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert "READY\n" in iter(parent.stdout.readline, "")
        parent.send_signal(signal.SIGKILL)
    pid = (data_dir / "label-studio.pid").read_text()

    adopted = embedded(server, data_dir, port, lines)
    moved = embedded(server, data_dir, free_port(), lines)
    adopted.start()
    try:
        assert lines == [f"Label Studio is already running at http://127.0.0.1:{port}"]
        assert (data_dir / "label-studio.pid").read_text() == pid
        # An account must not make it fetch what only this machine can reach.
        assert psutil.Process(int(pid.split()[0])).environ()["SSRF_PROTECTION_ENABLED"] == "true"
        with pytest.raises(LabelStudioRefused, match="taken"):
            embedded(server, data_dir, port, [], token="f" * 40).start()

        moved.start()  # the port was changed in biasloop.toml: one server, on the new port
        assert httpx.get(f"{moved.url}/health").is_success
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{adopted.url}/health")
    finally:
        moved.stop()
    moved.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{moved.url}/health")


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


def test_a_server_has_one_owner_who_keeps_it_running(
    label_studio_server: Server, data_dir: Path, tmp_path: Path
) -> None:
    server, port, lines = label_studio_server, free_port(), []
    pid_file = data_dir / "label-studio.pid"
    with embedded(server, data_dir, port, lines) as owner:
        told = ""
        try:
            with embedded(server, data_dir, port, []):
                pass
        except BiasloopError as error:
            told = str(error)
        assert answers(owner.url)  # the second did not end what it had not started
        assert "already" in told
        assert f"process {os.getpid()}, since 20" in told

        # A copy of the workspace knows token, port and process of the original.
        shutil.copytree(data_dir, tmp_path / "copy", ignore=shutil.ignore_patterns("*.lock"))
        copies = [embedded(server, tmp_path / "copy", where, []) for where in (port, free_port())]
        with pytest.raises(LabelStudioRefused, match="taken"):
            copies[0].start()
        for copy in copies:
            copy.stop()
            assert answers(owner.url)

        first = int(pid_file.read_text().split()[0])
        psutil.Process(first).kill()
        wait_until(lambda: not answers(owner.url) or pid_file.read_text().split()[0] != str(first))
        wait_until(lambda: answers(owner.url))
        assert int(pid_file.read_text().split()[0]) != first
        assert any("ended; starting it again" in line for line in lines)
    assert not answers(owner.url)
    with embedded(server, data_dir, port, lines):  # the next one to start is the owner
        assert answers(owner.url)


def test_a_taken_port_is_refused(label_studio_server: Server, tmp_path: Path) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(LabelStudioRefused, match=f"port {other.server_port} is taken"):
            embedded(label_studio_server, tmp_path, other.server_port, []).start()
        other.shutdown()


def test_a_server_that_dies_shows_the_end_of_its_log(
    label_studio_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "label_studio.sqlite3").write_text("no database")
    with pytest.raises(LabelStudioRefused, match="not a database"):
        embedded(label_studio_server, tmp_path, free_port(), []).start()


def test_what_is_installed_is_left_alone(label_studio_server: Server, tmp_path: Path) -> None:
    lines: list[str] = []
    embedded(label_studio_server, tmp_path, free_port(), lines).install()
    assert lines == []


def test_an_installation_that_fails_says_what_it_ran(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    server = EmbeddedLabelStudio(
        tmp_path / "file" / "venv",
        tmp_path,
        1,
        email="",
        password="",
        token="",
        on_line=lambda _: None,
    )
    with pytest.raises(LabelStudioRefused, match="-m venv"):
        server.install()


def test_pages_and_their_scripts_are_served(label_studio_server: Server) -> None:
    for path in ("/user/login/", "/react-app/main.js"):
        assert httpx.get(f"{label_studio_server.url}{path}").is_success
