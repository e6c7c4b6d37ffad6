"""policy try, trial, comment, adopt: a draft of the guideline is tried, then adopted."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from biasloop.service.trial import CaseReport, TrialReport

Out = Annotated[
    Path | None, typer.Option(metavar="FILE.html", help="Also write the trial to this file.")
]


def add_to(_root: typer.Typer) -> None:
    """Adds the commands of this file to those of `policy`."""
    app.command("try")(try_)
    app.command()(trial)
    app.command()(comment)
    app.command()(adopt)


def try_(
    draft: Annotated[
        Path, typer.Argument(metavar="DRAFT.md", help="The draft: a whole guideline.")
    ],
    against: Annotated[
        str,
        typer.Option(
            help="Version to compare with: its id, or the start of it; default: the one in force."
        ),
    ] = "",
    items: Annotated[
        int,
        typer.Option(min=1, max=500, help="Number of items near the decision border to try it on."),
    ] = 50,
    scenarios: Annotated[
        Path | None,
        typer.Option(
            help="File of texts to try it on instead: one per line, or JSONL (text, labels)."
        ),
    ] = None,
    by: By = "",
    out: Out = None,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Shows what a draft of the guideline would change.

    The language model labels scenarios under the guideline in force and under the draft. The
    guideline in force does not change.
    """
    from biasloop.service.scenarios import borderline, from_file
    from biasloop.service.trial import draft_of, try_draft

    service = open_workspace(workspace)
    service.settings.llm.require()
    version, other = draft_of(service, read_draft(draft)), _version(service, against)
    chosen = (
        from_file(scenarios, service.campaign.scheme) if scenarios else borderline(service, items)
    )
    requests = 2 * len(chosen) * service.settings.llm.judge_samples
    with progress(f"asking about {len(chosen)} scenarios", requests) as advance:
        trial = try_draft(
            service, version, other, chosen, by or user(), progress=lambda done, _: advance(done)
        )
    _show(service, trial, out, json)


def trial(
    name: Annotated[
        str,
        typer.Argument(metavar="TRIAL", help="Its id, or the start of it; default: the newest."),
    ] = "",
    out: Out = None,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Shows an earlier trial, with its comments."""
    service = open_workspace(workspace)
    trials = service.ledger.trials
    _show(service, trials.find(name) if name else trials.newest(), out, json)


def comment(
    name: Annotated[str, typer.Argument(metavar="TRIAL", help="Its id, or the start of it.")],
    scenario: Annotated[int, typer.Argument(metavar="SCENARIO", help="Number of the scenario.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The comment.")],
    by: By = "",
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Adds a comment to a scenario of a trial. The page shows it, too."""
    from biasloop.service.trial import comment as add_comment
    from biasloop.service.trial import describe

    service = open_workspace(workspace)
    report = describe(service, add_comment(service, name, scenario, text, by or user()))
    (case,) = [case for case in report.cases if case.scenario == scenario]
    if json:
        print_json(asdict(case))
        return
    _show_case(case, report)


def adopt(
    draft: Annotated[
        str,
        typer.Argument(
            metavar="DRAFT.md|TRIAL", help="A file; or the id of a trial, or the start of it."
        ),
    ],
    re_ask: Annotated[
        str,
        typer.Option(
            metavar="LABELS", help="Then ask again about items with these labels, e.g. gender,age."
        ),
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Then keep counting older votes.")] = False,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Then stop counting older votes.")
    ] = False,
    by: By = "",
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Makes a draft the guideline, even while the service runs.

    Annotators read it in Label Studio from now on. You decide, now or later, what happens to votes
    under older versions.
    """
    from biasloop.domain.policy import VoteAction
    from biasloop.service import policy
    from biasloop.service.trial import describe

    options = {
        VoteAction.RE_ASK: bool(re_ask),
        VoteAction.KEEP: keep,
        VoteAction.SET_ASIDE: set_aside,
    }
    actions = [action for action, chosen in options.items() if chosen]
    if len(actions) > 1:
        raise fail("give only one of --re-ask, --keep and --set-aside")
    service, author, labels = open_workspace(workspace), by or user(), split(re_ask)
    policy.check_labels(service, labels)
    version, trial = _resolve_draft(service, draft)
    former_copy = policy.adopt(service, version, author)
    report = describe(service, trial) if trial else None
    waiting = policy.policy_report(service, service.ledger.annotations()).waiting
    decision = None
    if actions and waiting.votes:
        decision = policy.decide(service, actions[0], labels, author)
    if json:
        print_json(
            {
                "policy": version.id,
                "kept": former_copy,
                "trial": report and asdict(report),
                "waiting": asdict(waiting),
                "decision": decision and asdict(decision[0]) | {"answers": decision[1]},
            }
        )
        return
    say(f"{version.id} is in force: annotators read it in Label Studio from now on")
    if former_copy:
        say(f"  {former_copy} keeps the former guidelines.md, which was never in force")
    if report:
        _show_contradictions(report)
    if decision:
        show_decision(*decision)
    elif waiting.votes:
        in_question = ",".join(report.in_question) if report else ""
        say(
            f"  {waiting.votes} votes were given under older versions; they count until you decide:"
        )
        say(f"  biasloop policy re-ask --labels {in_question or 'LABEL,…'}")
        say("  biasloop policy keep | set-aside")
    else:
        say("  no votes wait for a decision")


def _resolve_draft(service: "Service", name: str) -> "tuple[Policy, Trial | None]":
    """The draft in this file or of this trial, and the (newest) trial of that draft, if any."""
    from biasloop.service.trial import draft_of

    trials = service.ledger.trials
    if not Path(name).is_file():
        try:
            trial = trials.find(name)
        except LedgerError as error:
            raise fail(f"there is no file {name!r}, and {error}") from None
        return draft_of(service, trial.draft.text), trial
    draft = draft_of(service, read_draft(Path(name)))
    trial_ids = [row["id"] for row in trials.all() if row["draft_id"] == draft.id]
    return draft, trials.find(trial_ids[0]) if trial_ids else None


def read_draft(path: Path) -> str:
    """Reads a draft from a file. Raises ConfigError when it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f"cannot read {path}: {error}; it should be Markdown in UTF-8") from None


def _version(service: "Service", name: str) -> "Policy":
    return service.ledger.policies.find(name) if name else service.current_policy


# --- what people see ------------------------------------------------------------------------------


def _show_contradictions(report: "TrialReport") -> None:
    """Prints how many labelled items the draft contradicts, according to its trial."""
    counts = ", ".join(f"{n} labelled {label}" for label, n in report.in_question.items())
    say(
        f"  according to trial {report.trial}, it contradicts {report.contradicting} of "
        f"{report.labelled} labelled items{': ' + counts if counts else ''}"
    )


def _show(service: "Service", trial: "Trial", out: Path | None, json: bool) -> None:
    from biasloop.service.trial import describe

    if out is not None:
        from biasloop.web.rendering import trial_file

        out.write_text(trial_file(service, trial), "utf-8")
    report = describe(service, trial)
    if json:
        print_json(asdict(report))
        return
    say(f"trial {report.trial}, {local(report.at)}, by {report.by}")
    say(
        f"  draft {report.draft} against {report.against}, judged by {report.model}: "
        f"{report.spending.requests} requests, cost {report.spending.cost:.4f}"
    )
    for case in report.cases:
        if case.changes or case.contradicts or case.comments:
            say("")
            _show_case(case, report)
    say("")
    if report.labels:
        columns = ["label", "before", "after", "gained", "lost"]
        table([asdict(total) for total in report.labels], columns)
    say(
        f"{report.changed} of {report.answered} answered scenarios change; of "
        f"{report.labelled} labelled ones, the draft contradicts {report.contradicting} "
        f"and {report.against} contradicts {report.contradicting_before}"
    )
    if missing := report.scenarios - report.answered:
        say(f"{missing} were not answered: {report.stopped or 'the model gave no usable answer'}")
        say("  run the same command again to ask about these only")


def _show_case(case: "CaseReport", report: "TrialReport") -> None:
    say(f"{case.scenario}. {case.text or '(taken down)'}")
    notes = [case.why, *(["contradicts the labels"] if case.contradicts else [])]
    say(f"   {'; '.join(notes)}")
    if case.known is not None:
        say(f"   labelled {', '.join(case.known)}")
    for name, judgement in ((report.against, case.before), ("draft", case.after)):
        answer = judgement.problem or ", ".join(judgement.labels)
        say(f"   {name}: {answer}{' – ' + judgement.reason if judgement.reason else ''}")
    for comment in case.comments:
        say(f"   {comment.by}, {local(comment.at)}: {comment.text}")
