"""status, trip, doctor."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from biasloop.cli.context import Json, Workspace, local, open_workspace, print_json, say, table
from biasloop.errors import PoolError


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(status)
    app.command()(trip)
    app.command()(doctor)


def status(json: Json = False, workspace: Workspace = None) -> None:
    """What runs, what it waits for, and what there is."""
    from biasloop.reports.status import overview

    found = overview(open_workspace(workspace))
    if json:
        print_json(found)
        return
    say(f"{found['campaign']} — {found['loop']}")
    for line in (*_of_people(found), *_of_models(found)):
        say(f"  {line}")
    if found["set_aside"]:
        open_still = sum(a["open"] for a in found["set_aside"])
        say(f"  aside    {len(found['set_aside'])} answers do not count, {open_still} tasks open")
    if found["label_studio"]["trouble"]:
        say(f"  trouble  {found['label_studio']['trouble']}")
    for name, made in found["synthesis"]["by_expander"].items():
        if made["stopped"]:
            say(f"  {name:8} stopped asking: {made['stopped']}")
    say(f"  next     {found['next_round']}")
    say(f"  do       {_advice(found)}")
    if found["rounds"]:
        table([_round(r) for r in found["rounds"]], ["round", "state", "opened", "batch", "now"])


def _of_people(found: Mapping[str, Any]) -> Iterator[str]:
    """What there is to label, and what people did."""
    pool, budget, tasks = found["pool"], found["budget"], found["open_tasks"]
    yield f"pool     {pool['items']} items of {pool['ads']} ads {pool['by_origin']}"
    yield f"labels   {found['labels'] or 'none yet'}; asked {budget['asked']} of {budget['of']}"
    if pace := found["pace"]:
        each = pace["minutes_per_item"]
        yield f"         {pace['hours']:.1f} hours of people's time, {each:.1f} minutes per item"
    yield f"tasks    {tasks['all']} open, {tasks['audit']} of them audit"
    if (gold := found["gold"]) and not gold["left"]:
        yield (
            f"gold     none of {gold['items']} gold items is left to mix in; "
            "`biasloop import FILE --label-source gold` adds some"
        )
    if waiting := found["guideline"]["waiting"]["votes"]:
        yield (
            f"policy   {found['guideline']['policy']} is new: {waiting} votes under older ones "
            "count until you decide (`biasloop policy`)"
        )


def _of_models(found: Mapping[str, Any]) -> Iterator[str]:
    """Which model serves, what it learned from, and what the labels were worth."""
    yield f"model    {found['model_in_service'] or 'none yet; `service train` makes one'}"
    if seen := found["model_policies"]:
        votes = ", ".join(f"{n} votes under {policy}" for policy, n in seen.items())
        yield f"         learned from guideline versions: {votes}"
    if (decision := found["promotion"]) and not decision["promoted"]:
        yield f"         {decision['model_id']} was not promoted: {decision['why']}"
    if found["probation"]:
        yield f"written  {_probation(found['probation'])}"
    if found["savings"]:
        yield f"saved    {savings_told(found['savings'])}"
    if hours := found["hours_saved"]:
        yield "         {value:.1f} hours of work [{low:.1f}, {high:.1f}]".format(**hours)
    if found["stopping"]:
        yield f"stopping {_stopping(found['stopping'])}"


def _advice(found: dict[str, Any]) -> str:
    """What a person would do now."""
    if not found["pool"]["by_origin"].get("real"):
        return "`biasloop import FILE` brings in ads to label"
    if found["label_studio"]["project"] is None:
        return "`biasloop up` starts the loop and Label Studio (`serve`: against your own)"
    if found["open_tasks"]["all"]:
        server = found["label_studio"]
        return f"label at {server['url']}/projects/{server['project']}/data?labeling=1"
    return "nothing to label now; the loop runs while `biasloop up` or `serve` does"


def savings_told(found: Mapping[str, Any]) -> str:
    """On one line, what the labels that the strategy acquired are worth beside random ones."""
    if not found["points"]:
        return f"not yet estimable: {found['why']}"
    last = found["points"][-1]
    ahead = "micro F1 {value:+.2f} [{low:+.2f}, {high:+.2f}]".format(**last["difference"])
    if found["saved"] is None:
        saved = f"labels saved not yet estimable: {found['why']}"
    else:
        saved = "labels saved {value:.0%} [{low:.0%}, {high:.0%}]".format(**found["saved"])
    return f"{last['labels']} acquired labels against as many random ones: {ahead}; {saved}"


def _probation(found: Mapping[str, Any]) -> str:
    """Whether what a language model wrote teaches, and who says so."""
    texts = f"{found['teach']} of {found['texts']} texts of a language model teach"
    if review := found["review"]:
        verdict = "kept" if review["kept"] else "refused"
        return f"{texts}; round {found['round']} {verdict} {review['texts']}: {review['why']}"
    return f"{texts}; not reviewed yet: {found['unmeasured'] or 'the next training does so'}"


def _stopping(advice: dict[str, Any]) -> str:
    """What the criteria come to, and the measured one."""
    held = [found["name"] for found in advice["criteria"] if found["stop"]]
    word = "enough is labelled" if advice["stop"] else "go on labelling"
    wanted = " and ".join(advice["needs"])
    return f"{word}: {', '.join(held) or 'no criterion'} says to stop; {wanted} must"


def _round(found: dict[str, Any]) -> dict[str, Any]:
    if found["error"]:
        doing = f"{found['step']} failed {found['attempts']} times: {found['error']}"
    else:
        doing = found["waits_for"] or ("" if found["over"] else f"{found['step']} is next")
    return {
        "round": found["id"],
        "state": found["state"],
        "opened": found["opened_at"],
        "batch": found["facts"].get("batch"),
        "now": doing,
    }


def trip(
    item: Annotated[str, typer.Argument(help="Id of an item.")],
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Where an item has been: every fact about it, in order."""
    service = open_workspace(workspace)
    row = int(service.pool.rows_of([item])[0])
    if row < 0:
        raise PoolError(f"there is no item {item!r} in the pool; `biasloop export` lists the ids")
    found = service.pool.items([row])[0]
    facts = service.ledger.trip(item)
    if json:
        print_json({"item": item, "text": found.text, "split": found.split, "facts": facts})
        return
    say(found.text or "(taken down)")
    say(
        f"  {found.origin}, {found.split}, from {', '.join(found.roots)} {found.operation}".rstrip()
    )
    for fact in facts:
        where = "" if fact["round_id"] is None else f"round {fact['round_id']} "
        say(f"  {local(fact['at'])}  {where}{fact['fact']}: {fact['detail']}")


def doctor(json: Json = False, workspace: Workspace = None) -> None:
    """Checks settings, ledger, Label Studio, models, disk, GPU and hub; says what to fix."""
    from biasloop.reports.doctor import examine

    checks = examine(open_workspace(workspace))
    if json:
        print_json([check.__dict__ for check in checks])
    else:
        for check in checks:
            mark = "ok  " if check.ok else "FIX " if check.needed else "note"
            say(f"{mark} {check.what}: {check.found}")
    if any(check.needed and not check.ok for check in checks):
        raise typer.Exit(1)
