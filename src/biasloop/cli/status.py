"""status, trip, doctor."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.context import Json, Workspace, local, open_workspace, print_json, say, table

if TYPE_CHECKING:
    from biasloop.reports.rounds import RoundReport
    from biasloop.reports.status import Overview
    from biasloop.reports.synthesis import ProbationReport


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(status)
    app.command()(trip)
    app.command()(doctor)


def status(json: Json = False, workspace: Workspace = None) -> None:
    """Shows what is running and what it waits for."""
    from biasloop.reports.liveness import start_command
    from biasloop.reports.status import overview

    service = open_workspace(workspace)
    now, start = overview(service), start_command(service)
    if json:
        print_json(asdict(now))
        return
    say(f"{now.campaign} — {_headline(now, start)}")
    for line in (*_lines_on_labels(now), *_lines_on_models(now)):
        say(f"  {line}")
    if now.set_aside:
        open_tasks = sum(answer.open for answer in now.set_aside)
        say(f"  aside    {len(now.set_aside)} answers do not count, {open_tasks} tasks open")
        for reason, number in Counter(answer.reason for answer in now.set_aside).most_common():
            say(f"           {number} {reason}")
    for task, item in now.label_studio.unreadable.items():
        say(
            f"  unread   task {task} (item {item}): Label Studio cannot list its answers; "
            "delete the broken one there"
        )
    if now.label_studio.lost:
        say(f"  lost     {now.label_studio.lost}")
    if now.label_studio.trouble:
        say(f"  trouble  {now.label_studio.trouble}")
    if "llm" not in now.expanders:
        say("  expand   by rewriting only; `biasloop llm use URL MODEL` adds a language model")
    for name, record in now.synthesis.by_expander.items():
        if record["stopped"]:
            say(f"  {name:8} stopped asking: {record['stopped']}")
    say(f"  next     {now.next_round}")
    if changed := now.service.changed_settings:
        say(f"  changed  since the service started: {', '.join(changed)}; start it again to use it")
    say(f"  do       {_advice(now, start)}")
    if now.rounds:
        table([_round(r) for r in now.rounds], ["round", "state", "opened", "batch", "now"])


def _headline(now: "Overview", start: str) -> str:
    """What the loop is told to do, and whether anything runs that does it."""
    if now.service.running:
        return now.loop
    told = "" if now.loop == "running" else f"{now.loop}; "
    seen = f"; last seen {local(now.service.seen_at)}" if now.service.seen_at else ""
    return f"{told}nothing runs{seen}; `{start}`"


def _lines_on_labels(now: "Overview") -> Iterator[str]:
    """Lines on the pool, the labels, and the tasks."""
    yield f"pool     {now.pool.items} items of {now.pool.ads} ads {now.pool.by_origin}"
    yield f"labels   {now.labels or 'none yet'}; asked {now.budget.asked} of {now.budget.of}"
    if now.pace:
        yield (
            f"         {now.pace.hours:.1f} hours of people's time, "
            f"{now.pace.minutes_per_item:.1f} minutes per item"
        )
    yield f"tasks    {now.open_tasks.all} open, {now.open_tasks.audit} of them audit"
    if now.gold and not now.gold.left:
        yield (
            f"gold     none of {now.gold.items} gold items is left to mix in; "
            "`biasloop import FILE --label-source gold` adds some"
        )
    if votes := now.guideline.waiting.votes:
        yield (
            f"policy   {now.guideline.policy} is new: {votes} votes under older ones "
            "count until you decide (`biasloop policy`)"
        )


def _lines_on_models(now: "Overview") -> Iterator[str]:
    """Lines on the model in service, what it learned from, and what the labels were worth."""
    yield f"model    {now.model_in_service or 'none yet; `biasloop train` makes one'}"
    if now.scoring_model != now.model_in_service:
        yield f"         {now.scoring_model} chooses the next batch"
    if now.model_policies:
        votes = ", ".join(f"{n} votes under {policy}" for policy, n in now.model_policies.items())
        yield f"         learned from guideline versions: {votes}"
    if (decision := now.promotion) and not decision["promoted"]:
        yield f"         {decision['model_id']} was not promoted: {decision['why']}"
    if now.probation:
        yield f"written  {_probation(now.probation)}"
    for report in now.machine_labels:
        older = "; by an older model, `biasloop autolabel` does it again" * report.older_model
        yield (
            f"machine  {report.machine} items labelled for {report.bound.label}, at most "
            f"{report.bound.risk:.1%} wrong{older}"
        )
    if now.savings:
        yield f"saved    {describe_savings(now.savings)}"
    if hours := now.hours_saved:
        yield f"         {hours.value:.1f} hours of work [{hours.low:.1f}, {hours.high:.1f}]"
    if now.stopping:
        yield f"stopping {_stopping(now.stopping)}"


def _advice(now: "Overview", start: str) -> str:
    """What the user should do now."""
    if not now.pool.by_origin.get("real"):
        return "`biasloop import FILE` adds ads to label"
    server = now.label_studio
    if server.project is None:
        return "`biasloop up` starts the loop and Label Studio (`serve` uses one of your own)"
    to_do = [] if now.service.running else [f"`{start}` starts the loop"]
    if now.open_tasks.all:
        label_at = f"{server.url}/projects/{server.project}/data?labeling=1"
        if server.gateway:
            label_at = f"{server.gateway}/, by a link of `biasloop annotator add`"
        to_do.append(f"label at {label_at}")
    return "; then ".join(to_do) or "nothing to label now"


def describe_savings(savings: Mapping[str, Any]) -> str:
    """One line on what the labels that the strategy acquired are worth against random ones."""
    if not savings["points"]:
        return f"not yet estimable: {savings['why']}"
    last = savings["points"][-1]
    ahead = "micro F1 {value:+.2f} [{low:+.2f}, {high:+.2f}]".format(**last["difference"])
    if savings["saved"] is None:
        saved = f"labels saved not yet estimable: {savings['why']}"
    else:
        saved = "labels saved {value:.0%} [{low:.0%}, {high:.0%}]".format(**savings["saved"])
    return f"{last['labels']} acquired labels against as many random ones: {ahead}; {saved}"


def _probation(report: "ProbationReport") -> str:
    """How many texts by a language model are used for training, and which review decided it."""
    texts = f"{report.teach} of {report.texts} texts by a language model are used for training"
    if review := report.review:
        verdict = "kept" if review["kept"] else "refused"
        return f"{texts}; round {report.round} {verdict} {review['texts']}: {review['why']}"
    return f"{texts}; not reviewed yet: {report.unmeasured or 'the next training does so'}"


def _stopping(advice: Mapping[str, Any]) -> str:
    """Whether labelling should stop, and which criteria are met and needed."""
    met = [criterion["name"] for criterion in advice["criteria"] if criterion["stop"]]
    word = "enough is labelled" if advice["stop"] else "keep labelling"
    needed = ", ".join(advice["needs"])
    return f"{word} (criteria needed to stop: {needed}; met: {', '.join(met) or 'none'})"


def _round(report: "RoundReport") -> dict[str, Any]:
    if report.error:
        activity = f"{report.step} failed {report.attempts} times: {report.error}"
    else:
        activity = report.waits_for or ("" if report.over else f"{report.step} is next")
    return {
        "round": report.id,
        "state": report.state,
        "opened": report.opened_at,
        "batch": report.facts.get("batch"),
        "now": activity,
    }


def trip(
    item: Annotated[str, typer.Argument(help="Id of the item.")],
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Shows everything that happened to an item, in order."""
    from biasloop.reports.trip import trip as report_trip

    report = report_trip(open_workspace(workspace), item)
    if json:
        print_json(report.as_dict())
        return
    shown = report.item
    say(shown.text or "(taken down)")
    roots = ", ".join(shown.roots)
    say(f"  {shown.origin}, {shown.split}, from {roots} {shown.operation}".rstrip())
    for fact in report.facts:
        where = "" if fact["round_id"] is None else f"round {fact['round_id']} "
        say(f"  {local(fact['at'])}  {where}{fact['fact']}: {fact['detail']}")


def doctor(json: Json = False, workspace: Workspace = None) -> None:
    """Checks everything that biasloop needs and says what to fix.

    It checks settings, ledger, Label Studio, models, disk, GPU and model hub.
    """
    from biasloop.reports.doctor import examine

    checks = examine(open_workspace(workspace))
    if json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            mark = "ok  " if check.ok else "FIX " if check.needed else "note"
            say(f"{mark} {check.what}: {check.found}")
    if any(check.needed and not check.ok for check in checks):
        raise typer.Exit(1)
