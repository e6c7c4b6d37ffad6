"""up, serve, tick, reconcile, backup, pause, resume, cancel, demo."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biasloop.cli.completion import campaigns
from biasloop.cli.context import (
    Json,
    Workspace,
    Yes,
    confirm,
    err,
    fail,
    log,
    open_workspace,
    print_json,
    say,
)
from biasloop.cli.signals import Stop, stopped_by_signals

if TYPE_CHECKING:
    from biasloop.service.service import Service


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(up)
    app.command()(serve)
    app.command()(tick)
    app.command()(reconcile)
    app.command()(backup)
    app.command()(pause)
    app.command()(resume)
    app.command()(cancel)
    app.command()(demo)


def up(workspace: Workspace = None) -> None:
    """Starts everything: Label Studio, the loop and the page. Ctrl-C stops it."""
    from biasloop.workspace.campaign import check_campaign

    service = open_workspace(workspace)
    if service.settings.labelstudio.url:
        raise fail("labelstudio.url is set; use `biasloop serve`, which works with that server")
    check_campaign(service.campaign)
    service.settings.gateway.check()
    with stopped_by_signals() as stop, service.embedded(log):
        _serve(service, stop)


def serve(workspace: Workspace = None) -> None:
    """Starts the loop and the page, with a Label Studio of your own.

    The setting labelstudio.url must name that server.
    """
    from biasloop.workspace.campaign import check_campaign

    service = open_workspace(workspace)
    if not service.settings.labelstudio.url:
        raise fail("labelstudio.url is not set; set it, or use `biasloop up`")
    check_campaign(service.campaign)
    if service.settings.has_gateway:
        service.settings.gateway.check()
    with stopped_by_signals() as stop:
        _serve(service, stop)


def _serve(service: "Service", stop: Stop) -> None:
    from biasloop.web.app import create_app
    from biasloop.web.server import WebServer

    settings = service.settings.web
    page = f"http://{settings.host}:{settings.port}/"
    scheduler = service.scheduler(log)
    app = create_app(service, scheduler.wake)
    with WebServer(app, settings.host, settings.port), _gateway(service, scheduler.wake):
        label_at = _connect(service, page, app.state.webhook_secret)
        with service.spare_child(), scheduler:
            _greet(service, page, label_at)
            stop.wait()
            log("stopping after the running step (again stops at once; nothing is lost)")
            app.state.runner.stop()
            app.state.export_runner.stop()


def _gateway(service: "Service", wake: Callable[[], None]) -> AbstractContextManager[object]:
    """The gateway's server, if there is to be one."""
    if not service.settings.has_gateway:
        return nullcontext()
    from biasloop.gateway.app import create_gateway
    from biasloop.web.server import WebServer

    settings = service.settings.gateway
    tls = (settings.certificate, settings.key)
    app = create_gateway(service, wake)
    return WebServer(app, settings.host, settings.port, "gateway", *tls)


def _connect(service: "Service", page: str, webhook_secret: str) -> str:
    """Prepares our project in Label Studio; returns where to label. A server that does not answer
    yet is no error; one that refuses us is, because nobody could label."""
    from biasloop.errors import LabelStudioDown, LabelStudioRefused

    try:
        service.adopt_campaign_policy()
        service.ensure_project()
        if service.settings.has_gateway:  # it sees each answer itself
            service.label_studio.remove_webhook(f"{page}webhook")
        else:
            try:
                service.label_studio.add_webhook(f"{page}webhook", webhook_secret)
            except LabelStudioRefused as error:  # it may be told not to call addresses like ours
                log(f"{error}; the loop polls instead")
        return service.label_studio.task_url()
    except LabelStudioDown as error:
        log(f"{error}; the loop keeps trying")
        return service.label_studio_url


def _greet(service: "Service", page: str, label_at: str) -> None:
    settings = service.settings
    say("")
    if settings.has_gateway:
        say(f"  label  {settings.gateway.address}/ by a personal link, which")
        say("         `biasloop annotator add EMAIL` prints")
    else:
        say(f"  label  {label_at}; `biasloop annotator add EMAIL` creates an account")
    say(f"  watch  {page}")
    if not settings.labelstudio.url:
        from biasloop.workspace.secrets import read_secrets

        secret = read_secrets(service.layout.folder)["LABEL_STUDIO_PASSWORD"]
        say(f"  look into Label Studio at {label_at}")
        say(f"         sign in as {settings.labelstudio.email}")
        say(f"         password   {secret.get_secret_value()}")
    say("  Ctrl-C stops everything")
    say("")


def tick(json: Json = False, workspace: Workspace = None) -> None:
    """Runs one poll and one step, in the foreground."""
    service = open_workspace(workspace)
    service.adopt_campaign_policy()
    new = service.poll()
    step = service.loop.tick()
    if json:
        print_json({"new_annotations": new, "did": step})
    else:
        say(f"{new} new annotations; {step or 'nothing was due'}")


def reconcile(
    accept_losses: Annotated[
        bool,
        typer.Option("--accept-losses", help="Let go of answers that are gone from Label Studio."),
    ] = False,
    keep_answers: Annotated[
        bool,
        typer.Option("--keep-answers", help="Keep the answers that are gone from Label Studio."),
    ] = False,
    new_project: Annotated[
        bool,
        typer.Option(
            "--new-project",
            help="Replace a deleted project by a new one; keeps all answers, sends what is open.",
        ),
    ] = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Compares everything with Label Studio and fixes what differs.

    `up` and `serve` do so daily.
    """
    from dataclasses import asdict

    from biasloop.rounds.losses import decide_losses
    from biasloop.service.control import replace_project

    decision = decide_losses(accept=accept_losses, keep=keep_answers, new_project=new_project)
    service = open_workspace(workspace)
    if new_project:
        replace_project(service)
    differences = service.reconcile(decision)
    if json:
        print_json(asdict(differences))
        return
    say(
        f"{differences.changed} annotations changed, {differences.lost} gone with their tasks, "
        f"{differences.pushed_again} open tasks pushed again"
    )
    if differences.kept:
        say(f"{differences.kept} answers kept that are gone from Label Studio")


def backup(
    to: Annotated[Path, typer.Argument(help="Folder to create, outside the workspace.")],
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Copies the workspace, even while it runs. To restore, put the copy in its place."""
    from biasloop.service.backup import make_backup

    service = open_workspace(workspace)
    with err.status("copying …") as shown:
        size = make_backup(service, to, lambda name: shown.update(f"copying {name} …"))
    on_server = bool(service.settings.ledger_url)
    if json:
        print_json({"backup": str(to), "bytes": size, "ledger_included": not on_server})
        return
    say(f"{to}: {size / 1e6:.1f} MB")
    if on_server:
        say("  the ledger is on a server and not in the copy: dump it first, then take this backup")
    if service.settings.labelstudio.url:
        say("  Label Studio is a separate server: back it up as well, after this")
    say("  to restore: put it in the workspace's place and run `biasloop reconcile` there")


def pause(
    drain: Annotated[
        bool, typer.Option("--drain", help="Let open rounds finish, but open no new one.")
    ] = False,
    workspace: Workspace = None,
) -> None:
    """Stops the loop until `resume`. Annotations are still collected."""
    from biasloop.service import control

    state = control.pause(open_workspace(workspace), drain=drain)
    say(f"{state}; `biasloop resume` continues")


def resume(workspace: Workspace = None) -> None:
    """Continues after `pause`, or after the stopping rule."""
    from biasloop.service import control

    say(control.resume(open_workspace(workspace)))


def cancel(
    round_id: Annotated[int, typer.Argument(metavar="ROUND", help="Number of the round.")],
    why: Annotated[str, typer.Option(help="The reason, recorded with the round.")] = "",
    yes: Yes = False,
    workspace: Workspace = None,
) -> None:
    """Ends a round and withdraws its unlabelled tasks. Its annotations are kept."""
    from biasloop.service import control

    confirm(f"End round {round_id} and withdraw its unlabelled tasks?", yes)
    withdrawn = control.cancel(open_workspace(workspace), round_id, why)
    say(f"round {round_id} is cancelled, {withdrawn} unlabelled tasks withdrawn")


def demo(
    folder: Annotated[
        Path, typer.Argument(help="Folder to create for the demo's workspace.")
    ] = Path("demo"),
    campaign: Annotated[
        str,
        typer.Option(
            help="Name of a campaign that ships with biasloop, or a campaign folder.",
            autocompletion=campaigns,
        ),
    ] = "job_ads_it",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled texts, a file of any kind that import reads; default: the campaign's "
            "seeds."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds.")] = 5,
    batch: Annotated[int, typer.Option(min=2, help="Items per round.")] = 20,
    annotators: Annotated[int, typer.Option(min=1, help="Number of simulated annotators.")] = 2,
    noise: Annotated[float, typer.Option(min=0, max=1, help="Share of wrong answers.")] = 0.0,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the data's order and of all random choices.")
    ] = 0,
    json: Json = False,
) -> None:
    """Shows the loop at work on a real Label Studio.

    Annotators are simulated: they label through its API.
    """
    from biasloop.simulate.demo import Demo, run_demo

    rows = run_demo(Demo(folder, campaign, data, rounds, batch, annotators, noise, seed), log)
    if json:
        print_json(rows)
        return
    from biasloop.cli.context import table

    table(rows, ["round", "labels", "micro F1", "audit items", "arms", "model"])
    say(f"look around: biasloop -w {folder} status, or biasloop -w {folder} up")
