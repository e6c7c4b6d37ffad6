"""Installs, starts, adopts and stops a Label Studio of our own."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil

from biasloop.errors import LabelStudioDown, LabelStudioError, LabelStudioRefused
from biasloop.foreign import strike_secrets
from biasloop.labelstudio.owner import Owner
from biasloop.labelstudio.probe import Responder, probe_server

VERSION = "1.23.2"
HOST = "127.0.0.1"
BOOT_SECONDS = 300.0
STOP_SECONDS = 15.0
WATCH_SECONDS = 2.0
"""Time between two looks at whether the server still runs."""
PATIENCE_SECONDS = 60.0
"""Longest time between two attempts to start it again."""
REPORT_SECONDS = 10.0
"""How often a start that takes long is reported."""
PROBE_SECONDS = 10.0
"""Longest wait for a complete answer when the server is asked whether it is up."""
LOCK_SECONDS = 4 * 3600
"""How long a task is kept for somebody who began it and left."""
TAIL_BYTES = 8192
"""The part of the log that a message may quote; the log itself can be of any size."""


class EmbeddedLabelStudio:
    """Label Studio in its own virtual environment (it requires old versions of shared libraries),
    with SQLite in `data_dir` and one administrator.

    Within a `with`, this process owns the server: no other one can start or stop it, and it is
    started again when it ends by itself. The server deliberately survives a killed owner:
    annotators can go on, and the next owner adopts it. `on_line` is called with messages for the
    user, a line at a time.
    """

    def __init__(
        self,
        venv: Path,
        data_dir: Path,
        port: int,
        *,
        email: str,
        password: str,
        token: str,
        on_line: Callable[[str], None],
    ) -> None:
        self.url = f"http://{HOST}:{port}"
        self.log = data_dir / "label-studio.log"
        self._venv = venv
        self._data_dir = data_dir
        self._pid_file = data_dir / "label-studio.pid"
        self._port = port
        self._account = (email, password, token)
        self._on_line = on_line
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = Owner(data_dir)
        self._leaving = threading.Event()
        self._watch = threading.Thread(target=self._keep_running, name="label-studio", daemon=True)

    def __enter__(self) -> Self:
        """Raises WorkspaceError while another process owns the server."""
        self._owner.take()
        try:
            self.install()
            self.start()
        except BaseException:
            self._owner.release()
            raise
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        try:
            self._watch.join()
        finally:
            self.stop()
            self._owner.release()

    # --- install ------------------------------------------------------------------------------

    def install(self) -> None:
        """Creates the virtual environment if it is missing or incomplete."""
        if self._installed():
            return
        self._on_line(f"Installing Label Studio {VERSION} into {self._venv} (1 GB, some minutes)")
        self._run(sys.executable, "-m", "venv", str(self._venv))
        pip = [str(self._venv / "bin" / "python"), "-m", "pip", "install", "--progress-bar", "off"]
        self._run(*pip, f"label-studio=={VERSION}")
        self._on_line(f"Label Studio {VERSION} is installed")

    def _installed(self) -> bool:
        # pip installs a package after its dependencies, and writes its RECORD last.
        record = f"lib/python*/site-packages/label_studio-{VERSION}.dist-info/RECORD"
        return self._program.exists() and any(self._venv.glob(record))

    @property
    def _program(self) -> Path:
        return self._venv / "bin" / "label-studio"

    def _run(self, *command: str) -> None:
        last_lines: deque[str] = deque(maxlen=15)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                last_lines.append(line)
                if line.startswith(("Collecting", "Installing")):
                    self._on_line(line.rstrip()[:100])
        if process.returncode:
            raise LabelStudioRefused(
                f"installing Label Studio into {self._venv} failed; `{' '.join(command)}` ended "
                f"with {process.returncode}:\n{''.join(last_lines)}"
                "Correct that (check network and disk space) and start again"
            )

    # --- run ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Adopts a server that is already running, or starts one and waits until it answers.

        Raises LabelStudioRefused when the port is taken by something else or the server ends,
        LabelStudioDown when it does not answer in time.
        """
        if self._is_up():
            if self._process() is None:  # the same token, as in a copy of this workspace
                raise self._port_taken()
            self._on_line(f"Label Studio is already running at {self.url}")
            return
        if not self._is_on_our_port():
            self.stop()
        if self._process() is None:
            self._check_port()
            self._launch()
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise
        if not self._leaving.is_set():
            self._on_line(f"Label Studio is running at {self.url}")

    def _keep_running(self) -> None:
        """Starts the server again whenever it has ended, until `__exit__`."""
        reported, delay = "", WATCH_SECONDS
        while not self._leaving.wait(delay):
            if self._process() is not None:
                reported, delay = "", WATCH_SECONDS
                continue
            try:
                if not reported:
                    self._on_line("Label Studio has ended; starting it again")
                self.start()
            except (LabelStudioError, OSError) as error:
                if str(error) != reported:
                    reported = str(error)
                    self._on_line(f"{reported}; trying again")
                delay = min(2 * delay, PATIENCE_SECONDS)

    def stop(self) -> None:
        """Stops the server, adopted or not; it is no error if none is running."""
        process = self._process()
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
        if self._child is not None:
            self._child.wait()
            self._child = None
        self._pid_file.unlink(missing_ok=True)

    def _launch(self) -> None:
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._on_line("Starting Label Studio (the first time takes some minutes)")
        command = [str(self._program), "start", "--no-browser", "--internal-host", HOST]
        with self.log.open("ab") as log:
            # In its own session, so that neither Ctrl-C nor the end of the parent stops it.
            self._child = subprocess.Popen(
                [*command, "--port", str(self._port)],
                env=self._environment(),
                cwd=self._data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        created = psutil.Process(self._child.pid).create_time()
        self._pid_file.write_text(f"{self._child.pid} {created} {self._port}")

    def _environment(self) -> dict[str, str]:
        """Our environment, with the settings of Label Studio instead of the variables that it would
        interpret; it also reads some names without a prefix."""
        email, password, token = self._account
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LABEL_STUDIO_", "HEARTEX_", "DJANGO_", "PYTHON", "BIASLOOP_"))
        }
        return inherited | {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self._data_dir.resolve()),
            "LABEL_STUDIO_USERNAME": email,
            "LABEL_STUDIO_PASSWORD": password,
            "LABEL_STUDIO_USER_TOKEN": token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "LABEL_STUDIO_HOST": "",
            "LABEL_STUDIO_DEBUG": "false",
            "LABEL_STUDIO_DJANGO_DB": "sqlite",
            "COLLECT_ANALYTICS": "false",
            "LATEST_VERSION_CHECK": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            # Accounts can make it fetch addresses; it must not fetch those of this machine.
            "SSRF_PROTECTION_ENABLED": "true",
            "TASK_LOCK_TTL": str(LOCK_SECONDS),
        }

    def _wait_until_up(self) -> None:
        began = reported = time.monotonic()
        while not self._is_up():
            now = time.monotonic()
            if self._leaving.is_set():
                return
            if self._process() is None:
                raise LabelStudioRefused(
                    f"Label Studio ended while starting; the end of {self.log}:\n{self._tail()}"
                )
            if now > began + BOOT_SECONDS:
                raise LabelStudioDown(
                    f"Label Studio at {self.url} did not answer within {BOOT_SECONDS:.0f} s; "
                    f"the end of {self.log}:\n{self._tail()}"
                )
            if now > reported + REPORT_SECONDS:
                reported = now
                self._on_line(
                    f"Label Studio is still starting, {now - began:.0f} s; see {self.log}"
                )
            time.sleep(0.3)

    def _is_up(self) -> bool:
        """Whether our own server is up. Raises LabelStudioRefused when another one answers."""
        responder = probe_server(self.url, self._account[2], PROBE_SECONDS)
        if responder is Responder.ANOTHER:
            raise self._port_taken()
        return responder is Responder.OURS

    def _check_port(self) -> None:
        # Label Studio would silently use the next free port.
        with socket.socket() as probe:
            if probe.connect_ex((HOST, self._port)) == 0:
                raise self._port_taken()

    def _port_taken(self) -> LabelStudioError:
        return LabelStudioRefused(
            f"port {self._port} is taken by something that is not this workspace's Label Studio; "
            "end it, or set another labelstudio.port in biasloop.toml"
        )

    def _process(self) -> psutil.Process | None:
        """The server that this or an earlier run started here, if it is still running."""
        if self._child is not None and self._child.poll() is None:
            return psutil.Process(self._child.pid)
        try:
            process = psutil.Process(int(self._pid_file.read_text().split()[0]))
            # A process id can be reused, and a copy of the data names the server of the original,
            # but only our server works in this folder. Times of creation change with the clock.
            return process if Path(process.cwd()) == self._data_dir.resolve() else None
        except (FileNotFoundError, ValueError, IndexError, psutil.Error):
            return None

    def _is_on_our_port(self) -> bool:
        """False when the running server was started before the port was changed."""
        if self._process() is None:
            return True
        return self._pid_file.read_text().split()[2] == str(self._port)

    def _tail(self, lines: int = 15) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            tail = log.read(TAIL_BYTES).decode(errors="replace")
        _, password, token = self._account
        return strike_secrets("\n".join(tail.splitlines()[-lines:]), [password, token])
