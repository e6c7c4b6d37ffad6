"""The real command line, in this process or in one of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.in_process import run_in_process
from support.labelstudio_server import Server

REPOSITORY = Path(__file__).parents[2]
SEEDS = 80
PROGRAM = Path(sys.executable).with_name("biasloop")


Done = subprocess.CompletedProcess[str]


class Cli:
    """`biasloop` on one workspace, in this process; `process` and `command` are for those of their
    own. No call may show a traceback, whatever it ends with."""

    def __init__(self, workspace: Path, **environment: str) -> None:
        self.workspace = workspace
        ours = {k: v for k, v in os.environ.items() if not k.startswith("BIASLOOP_")}
        self.environment = ours | {"COLUMNS": "100"} | environment

    def work_on(self, server: Server, **settings: object) -> None:
        """Points the workspace to a Label Studio, to a project of its own; `settings` are set by
        the environment, as LOOP__BATCH_SIZE=5."""
        settings |= {"LABELSTUDIO__URL": server.url, "LABEL_STUDIO_TOKEN": server.token}
        self.environment |= {f"BIASLOOP_{name}": str(value) for name, value in settings.items()}
        about = self.workspace / "campaign" / "campaign.toml"
        title = f'title = "Prova {uuid4().hex[:12]}"'
        about.write_text(re.sub("^title = .*$", title, about.read_text("utf-8"), flags=re.M))

    def run(self, *arguments: object, stdin: str = "") -> Done:
        """Runs a command to its end, whatever that is."""
        done = run_in_process(self._words(arguments), self.environment, stdin)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def __call__(self, *arguments: object, stdin: str = "") -> str:
        """What it prints. It must end well."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: object) -> Any:
        """What it prints for scripts; nothing else is on standard output."""
        return json.loads(self(*arguments, "--json"))

    def error(self, *arguments: object, code: int = 1) -> str:
        """How it fails: by this exit code and one line."""
        return one_line(self.run(*arguments), code)

    def usage_error(self, *arguments: object) -> str:
        """How it refuses a command line that cannot be read."""
        done = self.run(*arguments)
        assert done.returncode == 2
        return done.stderr

    def doctor(self) -> dict[str, tuple[bool, str]]:
        """What doctor finds, by the name of the check: whether it is well, and the whole line."""
        return checks(self.run("doctor"))

    def command(self, *arguments: object) -> list[str]:
        """The command line for a process of its own."""
        return [str(PROGRAM), *self._words(arguments)]

    def process(self, *arguments: object, **options: Any) -> Done:
        """Runs a command to its end in a process of its own, as subprocess.run does with these
        options: where streams, limits or signals are what the test is about."""
        options = {"capture_output": True, "check": False, "encoding": "utf-8"} | options
        done = subprocess.run(  # noqa: PLW1510 - check is in `options`
            self.command(*arguments), env=self.environment, **options
        )
        assert "Traceback" not in (done.stderr or ""), done.stderr
        return done

    def _words(self, arguments: Iterable[object]) -> list[str]:
        return ["--workspace", str(self.workspace), *map(str, arguments)]


def one_line(done: Done, code: int = 1) -> str:
    """How a command failed: by this exit code and one line on standard error."""
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def checks(done: Done) -> dict[str, tuple[bool, str]]:
    """What doctor found, by the name of the check: whether it is well, and the whole line."""
    lines = done.stdout.splitlines()
    assert done.returncode == any(line.startswith("FIX") for line in lines)
    assert not done.stderr
    return {line[5:].partition(": ")[0]: (line[:2] == "ok", line) for line in lines}


def write_jsonl(path: Path, *rows: Mapping[str, Any]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), "utf-8")
    return path


def small_campaign(folder: Path) -> Path:
    """The Italian campaign, with few seeds and no ads."""
    shutil.copytree(REPOSITORY / "annotation_config" / "job_ads_it", folder)
    (folder / "seeds").mkdir()
    lines = (REPOSITORY / "seeds" / "job_ads_it" / "a_first.jsonl").read_text("utf-8").split("\n")
    (folder / "seeds" / "few.jsonl").write_text("\n".join(lines[:SEEDS]) + "\n", "utf-8")
    return folder
