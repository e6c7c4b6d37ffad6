"""Makes workspace.tar.gz, a workspace as commit 0a57e93 left it. See README.md.

    PYTHONPATH=CODE/src python make.py --campaign CODE/tests/campaigns/tiny

CODE is a checkout of that commit. `python` is that of an environment with biasloop's dependencies,
next to one with Label Studio, as `make setup` makes them. Uses the command line and HTTP only.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).resolve().parent
ADS = HERE / "ads.jsonl"
ARCHIVE = HERE / "workspace.tar.gz"
BIASLOOP = Path(sys.executable).with_name("biasloop")
PLACEHOLDER = "@WORKSPACE@"
HASHED = "adapter_config.json"
"""Names the checkpoint as well; model.json holds its hash, and nothing reads the name."""
PATIENCE = 180
SECOND = "second@example.org"
DROPPED = ("label-studio.log", "label-studio.pid", "serve.log", "media", "export", "__pycache__")

SETTINGS = """
[loop]
batch_size = 6
low_water = 0
audit_block = 4
budget = 12

[scheduler]
tick_seconds = 0.2
poll_seconds = 0.5
lease_seconds = 5
retry_base_seconds = 0.2
"""
CLASSIFIERS = {
    "embedding": 'options = { model = "checkpoint" }',
    "transformer": 'options = { model = "checkpoint", rank = 2, epochs = 1, min_steps = 8, '
    "folds = 2, passes = 2 }",
    "tfidf": "",
}
"""What is trained, in this order, with its options; the last one is in service when people label.
The checkpoint is named relative to the workspace, in which every command runs."""


def main() -> None:
    """Makes the workspace in a temporary folder and packs it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--campaign", type=Path, required=True)
    campaign = parser.parse_args().campaign.resolve()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        subprocess.run([BIASLOOP, "init", workspace, "--campaign", campaign], check=True)
        texts = [json.loads(line)["text"] for line in ADS.read_text("utf-8").splitlines()]
        make_checkpoint(workspace / "checkpoint", texts)
        shutil.copy(ADS, folder)
        biasloop(workspace, "import", f"../{ADS.name}")
        for name, options in CLASSIFIERS.items():
            write_settings(workspace, name, options)
            train(workspace)
        with up(workspace) as project:
            label(project)
            biasloop(workspace, "tick")
        biasloop(workspace, "export")
        pack(workspace)
    print(f"{ARCHIVE.name}: {ARCHIVE.stat().st_size} bytes")


def make_checkpoint(folder: Path, words: Iterable[str]) -> None:
    """A BERT of random weights, as small as it gets."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["[PAD]", "[EOS]"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, pad_token="[PAD]", eos_token="[EOS]"
    )
    config = transformers.BertConfig(
        vocab_size=len(fast),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)


def write_settings(workspace: Path, classifier: str, options: str) -> None:
    """Few settings of the loop, and the classifier."""
    text = f'seed = 0\n{SETTINGS}\n[classifier]\nname = "{classifier}"\n{options}'
    (workspace / "biasloop.toml").write_text(text.strip() + "\n", "utf-8")


def biasloop(workspace: Path, *arguments: str) -> str:
    """A command of the old command line, run in the workspace."""
    command = [str(BIASLOOP), *arguments]
    ended = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    print("$ biasloop", *arguments, "\n ", ended.stdout.strip()[:300], flush=True)
    return ended.stdout


def train(workspace: Path) -> None:
    """A model, and its verdicts on the ads, stored next to the workspace."""
    model = json.loads(biasloop(workspace, "train", "--json"))["model"]
    verdicts = workspace.parent / "verdicts"
    verdicts.mkdir(exist_ok=True)
    verdicts_of_ads = biasloop(workspace, "classify", f"../{ADS.name}")
    (verdicts / f"{model}.jsonl").write_text(verdicts_of_ads, "utf-8")


def status(workspace: Path) -> dict[str, Any]:
    """What `status --json` says."""
    command = [str(BIASLOOP), "status", "--json"]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def until(reached: Callable[[], Any], what: str) -> Any:
    """Looks again and again, for three minutes at most."""
    last = time.monotonic() + PATIENCE
    while not (found := reached()):
        assert time.monotonic() < last, f"not reached: {what}"
        time.sleep(0.5)
    return found


def states(workspace: Path) -> list[str]:
    """Where each round is."""
    return [round_["state"] for round_ in status(workspace)["rounds"]]


class Project:
    """The project in Label Studio, its workspace, and the two who label there."""

    def __init__(self, workspace: Path, url: str) -> None:
        self.workspace, self.url = workspace, url
        lines = (workspace / "secrets").read_text("utf-8").split()
        token = dict(line.split("=", 1) for line in lines)["LABEL_STUDIO_TOKEN"]
        self.first = self.client(token)
        self.id = until(lambda: status(workspace)["label_studio"]["project"], "a project")

    def client(self, token: str) -> httpx.Client:
        """Requests of the person with this token."""
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Token {token}"}, timeout=60
        )

    def sign_up(self, email: str) -> httpx.Client:
        """A second person, with an account by `annotator add`."""
        account = json.loads(biasloop(self.workspace, "annotator", "add", email, "--json"))
        with httpx.Client(base_url=self.url, timeout=60) as http:
            page = http.get("/user/login/").text
            csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
            assert csrf is not None
            form = {"email": email, "password": account["password"], "csrfmiddlewaretoken": csrf[1]}
            assert http.post("/user/login/", data=form).is_redirect
            token = http.get("/api/current-user/token").json()["token"]
        return self.client(token)

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks, oldest first."""
        asked = {"project": self.id, "page_size": 1000, "fields": "all"}
        found = self.first.get("/api/tasks/", params=asked).raise_for_status().json()["tasks"]
        return sorted(found, key=lambda task: task["id"])


def answer(person: httpx.Client, task: dict[str, Any], *labels: str) -> int:
    """Submits what is right, or `labels`; returns the annotation's id."""
    body = {"result": result(labels or right(task["data"]["text"])), "lead_time": 3.5}
    sent = person.post(f"/api/tasks/{task['id']}/annotations/", json=body)
    return int(sent.raise_for_status().json()["id"])


def right(text: str) -> tuple[str, ...]:
    """What is right to say of a text of the tiny campaign."""
    labels = [label for label, sign in (("gender", " un "), ("age", " anni")) if sign in text]
    return tuple(labels) or ("inclusive",)


def result(labels: Iterable[str]) -> list[dict[str, Any]]:
    """What the browser sends for these choices."""
    value = {"choices": list(labels)}
    return [{"from_name": "label", "to_name": "text", "type": "choices", "value": value}]


def label(project: Project) -> None:
    """Round 0 is answered whole, by two people, with one answer changed; round 1 in part: two
    votes and a skip."""
    workspace, first = project.workspace, project.first
    until(lambda: states(workspace) == ["pushed"], "round 0 with people")
    second = project.sign_up(SECOND)
    tasks = project.tasks()
    for task in tasks[:2]:
        answer(second, task)
    changed = answer(first, tasks[0], "inclusive", "age")
    until(lambda: votes(workspace) == 3, "three votes in the ledger")
    body = {"result": result(right(tasks[0]["data"]["text"]))}
    first.patch(f"/api/annotations/{changed}/", json=body).raise_for_status()
    for task in tasks[1:]:
        answer(first, task)
    until(lambda: states(workspace) == ["closed", "pushed"], "round 1 with people")
    fresh = [task for task in project.tasks() if task["id"] > tasks[-1]["id"]]
    for task in fresh[:2]:
        answer(first, task)
    skipped = {"result": [], "was_cancelled": True, "lead_time": 1.0}
    first.post(f"/api/tasks/{fresh[2]['id']}/annotations/", json=skipped).raise_for_status()
    until(lambda: status(workspace)["rounds"][1]["answered"] == 3, "three answers in the ledger")


def votes(workspace: Path) -> int:
    """Annotations of Label Studio that the ledger knows."""
    with closing(sqlite3.connect(workspace / "ledger.db")) as ledger:
        query = "SELECT count(DISTINCT key) FROM annotations WHERE key LIKE 'ls:%'"
        return int(ledger.execute(query).fetchone()[0])


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def up(workspace: Path) -> Iterator[Project]:
    """`biasloop up` on free ports, stopped in the end as by Ctrl-C."""
    port = str(free_port())
    os.environ |= {"BIASLOOP_LABELSTUDIO__PORT": port, "BIASLOOP_WEB__PORT": str(free_port())}
    with (workspace / "serve.log").open("wb") as log:
        process = subprocess.Popen([BIASLOOP, "up"], cwd=workspace, stdout=log, stderr=log)
    try:
        yield Project(workspace, f"http://127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def pack(workspace: Path) -> None:
    """Drops logs and caches, squeezes the databases, puts a placeholder for the workspace's own
    path in JSON files (but in HASHED ones, which a model would refuse), and writes the archive."""
    for path in [path for path in workspace.rglob("*") if path.name in DROPPED]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in (workspace / "ledger.db", *workspace.glob("labelstudio/*.sqlite3")):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.execute("VACUUM")
    own = str(workspace.resolve())
    for path in workspace.rglob("*.json"):
        text = path.read_text("utf-8")
        if own in text and path.name != HASHED:
            print("placeholder in", path.relative_to(workspace))
            path.write_text(text.replace(own, PLACEHOLDER), "utf-8")
    for path in workspace.rglob("*"):
        if path.is_file() and own.encode() in path.read_bytes():
            print("still holds its path:", path.relative_to(workspace))
    with tarfile.open(ARCHIVE, "w:gz", compresslevel=9) as archive:
        for name in (workspace.name, "verdicts"):
            archive.add(workspace.parent / name, name, filter=anonymous)


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the user of the machine that it was made on."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
