"""policy try, trial, comment, adopt: a draft of the guideline, tried before it is adopted."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.context import (
    Json,
    Workspace,
    fail,
    local,
    open_workspace,
    print_json,
    progress,
    say,
    table,
)
from biasloop.cli.policy import By, app, show_decision, split, user
from biasloop.errors import LedgerError

if TYPE_CHECKING:
    from biasloop.domain.policy import Policy
    from biasloop.domain.trial import Trial
    from biasloop.service.service import Service

Out = Annotated[Path | None, typer.Option(metavar="FILE.html", help="Also write it as a page.")]


def add_to(_root: typer.Typer) -> None:
    """Adds the commands of this file to those of `policy`."""
    app.command("try")(try_)
    app.command()(trial)
    app.command()(comment)
    app.command()(adopt)


def try_(
    draft: Annotated[Path, typer.Argument(metavar="DRAFT.md", help="The whole guideline.")],
    against: Annotated[
        str, typer.Option(help="A version, by how its id begins; default: the one in force.")
    ] = "",
    items: Annotated[
        int, typer.Option(min=1, max=500, help="How many items near the border to try it on.")
    ] = 50,
    scenarios: Annotated[
        Path | None,
        typer.Option(help="Texts to try it on instead: one a line, or JSONL (text, labels)."),
    ] = None,
    by: By = "",
    out: Out = None,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Has the language model label scenarios under the guideline in force and under a draft, and
    shows what the draft would change. Nothing comes into force."""
    from biasloop.service.scenarios import borderline, from_file
    from biasloop.service.trial import draft_of, try_draft

    service = open_workspace(workspace)
    service.settings.llm.require()
    version, other = draft_of(service, read_draft(draft)), _version(service, against)
    chosen = (
        from_file(scenarios, service.campaign.scheme) if scenarios else borderline(service, items)
    )
    requests = 2 * len(chosen) * service.settings.llm.judge_samples
    with progress(f"asking about {len(chosen)} scenarios", requests) as tell:
        made = try_draft(
            service, version, other, chosen, by or user(), progress=lambda done, _: tell(done)
        )
    _show(service, made, out, json)


def trial(
    name: Annotated[
        str, typer.Argument(metavar="TRIAL", help="How its id begins; default: the newest.")
    ] = "",
    out: Out = None,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Shows a trial again, with what was said of it."""
    service = open_workspace(workspace)
    known = service.ledger.trials
    _show(service, known.find(name) if name else known.newest(), out, json)


def comment(
    name: Annotated[str, typer.Argument(metavar="TRIAL", help="How its id begins.")],
    scenario: Annotated[int, typer.Argument(metavar="SCENARIO", help="Its number.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you say of it.")],
    by: By = "",
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Keeps what you say of one scenario of a trial; the page shows it, too."""
    from biasloop.service.trial import comment as keep
    from biasloop.service.trial import describe

    service = open_workspace(workspace)
    found = describe(service, keep(service, name, scenario, text, by or user()))
    (case,) = [case for case in found["cases"] if case["scenario"] == scenario]
    if json:
        print_json(case)
        return
    _show_case(case, found)


def adopt(
    draft: Annotated[
        str, typer.Argument(metavar="DRAFT.md|TRIAL", help="A file, or how a trial's id begins.")
    ],
    re_ask: Annotated[
        str, typer.Option(metavar="LABELS", help="Then ask again about these, as gender,age.")
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Older votes then count on.")] = False,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Older votes then count for nothing.")
    ] = False,
    by: By = "",
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Makes a draft the guideline, also while the service runs: annotators read it in Label Studio
    from now on. What becomes of votes under older versions you decide now or later."""
    from biasloop.domain.policy import VoteAction
    from biasloop.service import policy
    from biasloop.service.trial import describe

    wanted = {
        VoteAction.RE_ASK: bool(re_ask),
        VoteAction.KEEP: keep,
        VoteAction.SET_ASIDE: set_aside,
    }
    actions = [action for action, chosen in wanted.items() if chosen]
    if len(actions) > 1:
        raise fail("give one of --re-ask, --keep and --set-aside")
    service, author, labels = open_workspace(workspace), by or user(), split(re_ask)
    policy.check_labels(service, labels)
    version, trial = _meant(service, draft)
    kept = policy.adopt(service, version, author)
    found = {
        "policy": version.id,
        "kept": kept,
        "trial": describe(service, trial) if trial else None,
        "waiting": policy.policy_report(service, service.ledger.annotations())["waiting"],
        "decision": None,
    }
    if actions and found["waiting"]["votes"]:
        found["decision"] = policy.decide(service, actions[0], labels, author)
    if json:
        print_json(found)
        return
    _show_adoption(found)


def _meant(service: "Service", name: str) -> "tuple[Policy, Trial | None]":
    """The draft in a file of that name, or of a trial; and the trial, the newest of that draft."""
    from biasloop.service.trial import draft_of

    known = service.ledger.trials
    if not Path(name).is_file():
        try:
            trial = known.find(name)
        except LedgerError as error:
            raise fail(f"there is no file {name!r}, and {error}") from None
        return draft_of(service, trial.draft.text), trial
    draft = draft_of(service, read_draft(Path(name)))
    tried = [found["id"] for found in known.all() if found["draft_id"] == draft.id]
    return draft, known.find(tried[0]) if tried else None


def _show_adoption(found: Mapping[str, Any]) -> None:
    say(f"{found['policy']} is in force: annotators read it in Label Studio from now on")
    if found["kept"]:
        say(f"  {found['kept']} holds what stood in guidelines.md and never was in force")
    labels = {}
    if trial := found["trial"]:
        labels = trial["in_question"]
        counts = ", ".join(f"{n} carry {label}" for label, n in labels.items())
        say(
            f"  by trial {trial['trial']} it contradicts {trial['contradicting']} of "
            f"{trial['labelled']} labelled items{': ' + counts if counts else ''}"
        )
    if found["decision"]:
        show_decision(found["decision"])
    elif votes := found["waiting"]["votes"]:
        say(f"  {votes} votes were given under older versions; they count until you decide:")
        say(f"  biasloop policy re-ask --labels {','.join(labels) or 'LABEL,…'}")
        say("  biasloop policy keep | set-aside")
    else:
        say("  no votes wait for a decision")


def read_draft(path: Path) -> str:
    """What stands in a file. Raises ConfigError when it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f"cannot read {path}: {error}; it should be Markdown in UTF-8") from None


def _version(service: "Service", name: str) -> "Policy":
    return service.ledger.policies.find(name) if name else service.current_policy


# --- what people see ------------------------------------------------------------------------------


def _show(service: "Service", made: "Trial", out: Path | None, json: bool) -> None:
    from biasloop.service.trial import describe

    if out is not None:
        from biasloop.web.policy import trial_file

        out.write_text(trial_file(service, made), "utf-8")
    found = describe(service, made)
    if json:
        print_json(found)
        return
    spent = found["spending"]
    say(f"trial {found['trial']}, {local(found['at'])}, by {found['by']}")
    say(
        f"  draft {found['draft']} against {found['against']}, judged by {found['model']}: "
        f"{spent['requests']} requests, cost {spent['cost']:.4f}"
    )
    for case in found["cases"]:
        if case["changes"] or case["contradicts"] or case["comments"]:
            say("")
            _show_case(case, found)
    say("")
    if found["labels"]:
        table(found["labels"], ["label", "before", "after", "gained", "lost"])
    say(
        f"{found['changed']} of {found['answered']} answered scenarios change; of "
        f"{found['labelled']} labelled ones the draft contradicts {found['contradicting']}, "
        f"{found['against']} {found['contradicting_before']}"
    )
    if missing := found["scenarios"] - found["answered"]:
        say(f"{missing} are not answered: {found['stopped'] or 'the model gave no usable answer'}")
        say("  the same command again asks for these only")


def _show_case(case: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    say(f"{case['scenario']}. {case['text'] or '(taken down)'}")
    notes = [case["why"], *(["contradicts the labels"] if case["contradicts"] else [])]
    say(f"   {'; '.join(notes)}")
    if case["known"] is not None:
        say(f"   labelled {', '.join(case['known'])}")
    for name, said in ((found["against"], case["before"]), ("draft", case["after"])):
        told = said["problem"] or ", ".join(said["labels"])
        say(f"   {name}: {told}{' – ' + said['reason'] if said['reason'] else ''}")
    for one in case["comments"]:
        say(f"   {one['by']}, {local(one['at'])}: {one['text']}")
