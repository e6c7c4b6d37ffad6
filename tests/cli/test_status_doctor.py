"""An engineer looks: status, trip, doctor, pause; and what stands in the way."""

import json
import os
import pty
import re
import resource
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from biasloop.cli.status import describe_savings
from biasloop.service.service import Service
from biasloop.store.control import SCHEDULER_LEASE
from support.cli import Cli, checks, one_line
from support.ports import free_port
from support.workspaces import AD


def room_for(size: int) -> Callable[[], None]:
    """For a process whose files may not grow over that: writing fails as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_an_empty_workspace_says_what_to_do_next(campaign: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path / "workspace")
    cli("init", cli.workspace, "--campaign", campaign)
    told = cli("status")
    assert "biasloop import" in told
    assert "biasloop train" in told


def test_a_workspace_with_ads_says_how_to_start(cli: Cli) -> None:
    assert "biasloop up" in cli("status")
    assert cli.json("status")["rounds"] == []


def test_running_means_that_something_runs(cli: Cli) -> None:
    """Before any service, while one holds the lease, after it died, and after it ended."""
    control = Service(cli.workspace).ledger.control

    def told() -> tuple[str, bool, str]:
        headline = cli("status").splitlines()[0]
        return headline, cli.json("status")["service"]["running"], cli.doctor()["service"][1]

    headline, running, found = told()
    assert "nothing runs; `biasloop up`" in headline
    assert not running
    assert "nothing runs" in found
    control.hold_lease(SCHEDULER_LEASE, "host/1/a", datetime.now(UTC), 60)
    headline, running, found = told()
    assert headline.endswith("— running")
    assert running
    assert "host/1/a" in found
    # The service runs, so Label Studio should: that is to be fixed, not only to be noted.
    assert cli.doctor()["Label Studio and token"][1].startswith("FIX")
    control.hold_lease(SCHEDULER_LEASE, "host/1/a", datetime.now(UTC) - timedelta(hours=1), 60)
    died = told()
    control.release_lease(SCHEDULER_LEASE, "host/1/a", datetime.now(UTC))
    for headline, running, _ in (died, told()):
        assert "nothing runs; last seen 20" in headline
        assert not running
    assert cli.json("status")["loop"] == "running"  # what it is told to do
    cli("pause")
    assert "paused; nothing runs" in cli("status")


def test_pause_drain_resume(cli: Cli) -> None:
    for command, state in (("pause", "paused"), ("resume", "running")):
        cli(command)
        assert cli.json("status")["loop"] == state
    assert "biasloop resume" in cli("pause", "--drain")
    assert "draining" in cli("status")


def test_what_labels_have_saved_is_told_as_far_as_it_is_known() -> None:
    def interval(*bounds: float) -> dict[str, float]:
        return dict(zip(("value", "low", "high"), bounds, strict=True))

    points = ({"labels": 80, "difference": interval(0.1, -0.02, 0.22)},)
    assert describe_savings({"points": (), "saved": None, "why": "20 random labels"}) == (
        "not yet estimable: 20 random labels"
    )
    ahead = "80 acquired labels against as many random ones: micro F1 +0.10 [-0.02, +0.22]; "
    assert describe_savings({"points": points, "saved": None, "why": "even 10 do"}) == (
        f"{ahead}labels saved not yet estimable: even 10 do"
    )
    assert describe_savings({"points": points, "saved": interval(0.25, -0.125, 0.5)}) == (
        f"{ahead}labels saved 25% [-12%, 50%]"
    )


def test_what_is_not_there_is_named(cli: Cli) -> None:
    assert "there is no round 7" in cli.error("cancel", 7)
    assert "there is no item 'x'" in cli.error("trip", "x")
    assert "there is no ad 'x'" in cli.error("takedown", "x")
    assert "labelstudio.url is not set" in cli.error("serve", code=2)


@pytest.mark.parametrize("command", [("takedown", AD["id"]), ("cancel", "0")])
def test_what_cannot_be_undone_asks_on_a_terminal(cli: Cli, command: tuple[str, ...]) -> None:
    service = Service(cli.workspace)
    service.ledger.rounds.open({}, datetime.now(UTC))

    def answer(text: str, *options: str) -> int:
        keyboard, terminal = pty.openpty()
        os.write(keyboard, text.encode())
        try:
            return cli.process(*command, *options, stdin=terminal, timeout=60).returncode
        finally:
            os.close(keyboard)
            os.close(terminal)

    events = len(service.ledger.control.events())
    assert answer("n\n") == 1
    assert len(service.ledger.control.events()) == events
    assert answer("", "--yes") == 0
    assert len(service.ledger.control.events()) == events + 1


def test_an_erased_item_keeps_its_trip(cli: Cli) -> None:
    told = cli("takedown", AD["id"])
    assert "items erased" in told
    item = str(Service(cli.workspace).pool.column("id")[-1])
    assert cli.json("trip", item)["split"] in ("train", "audit")
    told = cli("takedown", AD["id"])
    assert "0 items erased" in told
    assert "erased before" in told
    again = cli.json("takedown", AD["id"])
    assert again["tasks_withdrawn"] == 0
    gone = Cli(cli.workspace).json("trip", again["items"][0])
    assert gone["text"] == ""
    cli("export", "--format", "csv", "--to", cli.workspace / "out")
    for table in ("items", "ads", "votes"):
        assert "barista" not in (cli.workspace / "out" / f"{table}.csv").read_text("utf-8")


def test_doctor_on_what_is_broken(cli: Cli) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    cli.environment["BIASLOOP_LABELSTUDIO__URL"] = url
    well, line = cli.doctor()["Label Studio and token"]
    assert not well
    assert url in line
    secrets = cli.workspace / "secrets"
    secrets.chmod(0o644)
    assert f"chmod 600 {secrets}" in cli.doctor()["Label Studio and token"][1]
    well, line = checks(cli.process("doctor", preexec_fn=room_for(500_000)))["disk"]
    assert not well
    assert str(cli.workspace) in line


def test_a_full_disk(cli: Cli, tmp_path: Path) -> None:
    ads = tmp_path / "ads.jsonl"
    line = '{{"id": "b{0}", "text": "Cercasi cuoco per la sede numero {0} di Lecco."}}\n'
    ads.write_text("".join(line.format(n) for n in range(5000)))
    before = cli.json("status")["pool"]["ads"]
    told = one_line(cli.process("import", ads, preexec_fn=room_for(500_000)))
    assert str(cli.workspace) in told
    assert cli.json("import", ads)[str(ads)]["rejects"] == 0
    assert cli.json("status")["pool"]["ads"] == before + 5000
    told = one_line(cli.process("export", "--format", "csv", preexec_fn=room_for(100_000)))
    assert "free space" in told


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("[loop]\nbatchsize = 5\n", "loop.batchsize"),
        ("[loop]\nbatch_size = 'many'\n", "loop.batch_size"),
        ("[loop\n", "not valid TOML"),
    ],
)
def test_wrong_settings_are_named(cli: Cli, settings: str, said: str) -> None:
    (cli.workspace / "biasloop.toml").write_text(settings)
    told = cli.error("status", code=2)
    assert said in told
    assert "biasloop.toml" in told


NO_FOLDER = '{"model": "./nowhere"}'


@pytest.mark.parametrize(
    ("setting", "value", "check", "named"),
    [
        ("STRATEGY__NAME", "nonesuch", "strategy", "margin_to_border"),
        ("STRATEGY__OPTIONS", '{"size": 3}', "strategy", "takes no options"),
        ("STRATEGY__NAME", "subsample", "ok", ""),
        ("CLASSIFIER__NAME", "embeding", "classifier", "embedding"),
        ("CLASSIFIER__NAME", "embedding", "classifier", "model: must be given"),
        ("CLASSIFIER__OPTIONS", '{"folds": 1}', "classifier", "folds"),
        ("CLASSIFIER__OPTIONS", '{"precision": {"agee": 0.9}}', "classifier", "the labels are"),
        ("EXPANDER__NAMES", '["nonesuch"]', "expanders", "counterfactual"),
        ("EXPANDER__NAMES", '["llm"]', "expanders", "llm.base_url"),
        ("EXPANDER__OPTIONS", '{"counterfactual": {"share": 1}}', "expanders", "share"),
    ],
)
def test_doctor_builds_the_plug_ins_that_the_settings_name(
    cli: Cli, setting: str, value: str, check: str, named: str
) -> None:
    cli.environment[f"BIASLOOP_{setting}"] = value
    checks = cli.doctor()
    faulty = {name: message for name, (ok, message) in checks.items() if not ok}
    if check == "ok":
        assert not faulty.keys() & {"strategy", "classifier", "expanders"}
        return
    assert named in faulty[check]
    assert cli.run("doctor").returncode == 1
    assert named in cli.error("train", code=2)


def test_doctor_opens_the_pretrained_model(cli: Cli) -> None:
    cli.environment |= {
        "BIASLOOP_CLASSIFIER__NAME": "transformer",
        "BIASLOOP_CLASSIFIER__OPTIONS": NO_FOLDER,
    }
    ok, message = cli.doctor()["classifier"]
    assert not ok
    assert "there is no folder ./nowhere" in message


def test_doctor_names_scores_that_the_classifier_does_not_compute(cli: Cli) -> None:
    cli.environment |= {
        "BIASLOOP_STRATEGY__NAME": "bald",
        "BIASLOOP_CLASSIFIER__OPTIONS": '{"committee": false}',
    }
    ok, message = cli.doctor()["classifier"]
    assert not ok
    assert "passes" in message


def test_doctor_asks_what_label_studio_would_refuse(cli: Cli) -> None:
    config = cli.workspace / "campaign" / "label_config.xml"
    marks = '<Labels name="mark" toName="nothing"><Label value="x"/></Labels></View>'
    config.write_text(config.read_text("utf-8").replace("</View>", marks), "utf-8")
    ok, message = cli.doctor()["campaign"]
    assert not ok
    assert "Label Studio refuses it" in message


@pytest.mark.parametrize(
    "name",
    ["LOP__BATCH_SIZE", "LOPP", "LABELSTUDI__URL", "STRATEGY_NAME", "LLM_API_KEYS", "SEEDS"],
)
def test_a_mistyped_variable_is_refused_like_an_unknown_key(cli: Cli, name: str) -> None:
    cli.environment[f"BIASLOOP_{name}"] = "7"
    told = cli.error("status", code=2)
    assert f"BIASLOOP_{name} in the environment" in told


def test_a_wrong_strategy_is_refused_with_the_known_ones(cli: Cli) -> None:
    cli.environment["BIASLOOP_STRATEGY__NAME"] = "best"
    assert "random" in cli.error("train", code=2)


def test_a_damaged_ledger_is_one_line(cli: Cli) -> None:
    (cli.workspace / "ledger.db").write_bytes(b"no database" * 1000)
    assert "ledger" in cli.error("status")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_that_the_terminal_cannot_show_is_replaced(cli: Cli, encoding: str) -> None:
    about = cli.workspace / "campaign" / "campaign.toml"
    about.write_text(
        re.sub("^title = .*$", 'title = "Età ✓ 职"', about.read_text("utf-8"), flags=re.M), "utf-8"
    )
    cli.environment["PYTHONIOENCODING"] = encoding
    done = cli.process("status", encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "? ?" in done.stdout
    assert (
        json.loads(cli.process("status", "--json", encoding=encoding).stdout)["campaign"]
        == "Età ✓ 职"
    )
