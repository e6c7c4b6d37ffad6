"""The real command line, in a process of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.labelstudio_server import Server

REPOSITORY = Path(__file__).parents[2]
SEEDS = 80
PROGRAM = Path(sys.executable).with_name("biasloop")


class Cli:
    """`biasloop` on one workspace. No call may show a traceback, whatever it ends with."""

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

    def command(self, *arguments: object) -> list[str]:
        return [str(PROGRAM), "--workspace", str(self.workspace), *map(str, arguments)]

    def run(self, *arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, whatever that is."""
        how = {"capture_output": True, "check": False} | how
        done = subprocess.run(  # noqa: PLW1510 - check is in `how`
            self.command(*arguments), env=self.environment, encoding="utf-8", **how
        )
        assert "Traceback" not in (done.stderr or ""), done.stderr
        return done

    def __call__(self, *arguments: object, **how: Any) -> str:
        """What it prints. It must end well, and quietly."""
        done = self.run(*arguments, **how)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: object) -> Any:
        """What it prints for scripts; nothing else is on standard output."""
        return json.loads(self(*arguments, "--json"))

    def error(self, *arguments: object, code: int = 1, **how: Any) -> str:
        """How it fails: by this exit code and one line."""
        done = self.run(*arguments, **how)
        assert done.returncode == code, (done.returncode, done.stderr)
        assert done.stderr.startswith("error: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def usage_error(self, *arguments: object) -> str:
        """How it refuses a command line that cannot be read."""
        done = self.run(*arguments)
        assert done.returncode == 2
        return done.stderr

    def doctor(self, **how: Any) -> dict[str, tuple[bool, str]]:
        """What doctor finds, by the name of the check: whether it is well, and the whole line."""
        done = self.run("doctor", **how)
        lines = done.stdout.splitlines()
        assert done.returncode == any(line.startswith("FIX") for line in lines)
        assert not done.stderr
        return {line[5:].partition(": ")[0]: (line[:2] == "ok", line) for line in lines}


def write_jsonl(path: Path, *rows: Mapping[str, Any]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def small_campaign(folder: Path) -> Path:
    """The Italian campaign, with few seeds and no ads."""
    shutil.copytree(REPOSITORY / "annotation_config" / "job_ads_it", folder)
    (folder / "seeds").mkdir()
    lines = (REPOSITORY / "seeds" / "job_ads_it" / "a_first.jsonl").read_text("utf-8").split("\n")
    (folder / "seeds" / "few.jsonl").write_text("\n".join(lines[:SEEDS]) + "\n", "utf-8")
    return folder
