"""prevalence: which share of the pool has a label."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.context import Json, Workspace, fail, open_workspace, print_json, say, table

if TYPE_CHECKING:
    from biasloop.reports.prevalence import LabelShare, PrevalenceReport

UNITS = ("sentence", "ad")


def add_to(app: typer.Typer) -> None:
    """Adds the command of this file."""
    app.command()(prevalence)


def prevalence(
    label: Annotated[
        list[str] | None, typer.Option(help="Only this label; may be repeated.")
    ] = None,
    unit: Annotated[str, typer.Option(help="What is counted: sentence or ad.")] = "sentence",
    by: Annotated[
        str,
        typer.Option(
            help="By group: a column of the input, source, language, month (of the only column of "
            "dates) or month:COLUMN."
        ),
    ] = "",
    together: Annotated[
        bool, typer.Option("--together", help="Intervals that hold for all labels at once.")
    ] = False,
    plan: Annotated[
        float | None,
        typer.Option(
            help="Show how many audit labels give plus or minus this many points, e.g. 2."
        ),
    ] = None,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Estimates which share of all sentences, or ads, has each label.

    From audit items alone, with 95 % intervals, and with the model's verdicts on the whole pool
    where they help. What a strategy chose is never a sample of the pool.
    """
    from biasloop.reports import prevalence as prevalence_report

    if unit not in UNITS:
        raise fail(f"--unit must be {' or '.join(UNITS)}")
    if plan is not None and not 0 < plan < 50:
        raise fail("--plan is a number of points between 0 and 50, e.g. 2")
    service = open_workspace(workspace)
    if unknown := set(label or ()) - set(service.campaign.scheme.labels):
        known = ", ".join(service.campaign.scheme.labels)
        raise fail(f"no label {', '.join(sorted(unknown))}; the labels are: {known}")
    report = prevalence_report.report(
        service,
        unit=prevalence_report.Unit(unit),
        by=by,
        together=together,
        half_width=(plan or 2.0) / 100,
        labels=label or (),
    )
    if json:
        print_json(asdict(report))
        return
    if not report.audited:
        say(
            "no audit item is labelled yet, so no share can be estimated; annotators get audit "
            "items with each batch (`biasloop up`), 200 with the first ones"
        )
        return
    for group in report.groups:
        if report.by:
            say(f"{report.by} {group.group}: {group.items} sentences in {group.ads} ads")
        rows = [_row(share, plan) for share in group.labels]
        table(rows, list(rows[0]) if rows else [])
        if report.by:
            say("")
    _explain(report, plan)


def _row(share: "LabelShare", plan: float | None) -> dict[str, Any]:
    row = {
        "label": share.label,
        "share": _share(share),
        "95 % interval": ""
        if share.low is None
        else f"{_points(share.low)} – {_points(share.high)}",
        "positives": f"{share.positives} of {share.audited}",
        "by the model alone": _points(share.by_model),
        "raw (do not use)": _points(share.raw),
    }
    if plan is not None:
        row[f"labels for ± {plan:g}"] = str(share.plan or "not known yet")
    return row


def _share(share: "LabelShare") -> str:
    if share.low is None:
        return f"not estimable (about {share.needed} audit labels needed)"
    return "between" if share.value is None else _points(share.value)


def _points(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.1f} %"


def _explain(report: "PrevalenceReport", plan: float | None) -> None:
    """What the figures rest on, and what to do for better ones."""
    say(f"from {report.audited} labelled audit items; {report.unanswered} more are not answered")
    if report.model:
        say(f"with the verdicts of model {report.model} on the whole pool")
        if report.unscored:
            say(f"  {report.unscored} sentences were not scored and count as average")
    else:
        say(f"without a model: {report.why_no_verdicts}")
    if report.unit == "ad":
        say(
            "of ads with several sentences there are only bounds, because the audit asks about "
            "single ones; a better model brings them together"
        )
    if report.together:
        say("all intervals of a table hold together")
    say(
        "raw is the share of everything that was labelled: a strategy chose most of it because it "
        "was unusual, so it says nothing about the pool"
    )
    if report.left_out:
        say(f"{report.left_out} smaller groups are left out")
    if plan is not None:
        say(
            f"for ± {plan:g} points, {report.plan_at_most} labels are enough for any share, if ads "
            "are not alike; `loop.audit_share` says how much of a batch is audited"
        )
