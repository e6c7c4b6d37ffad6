"""simulate: what strategies save on data that is labelled already."""

import json as json_
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli import completion
from biasloop.cli.context import Json, fail, log, progress, say, table
from biasloop.cli.importing import Encoding

if TYPE_CHECKING:
    from biasloop.domain.measure.resample import Interval


def add_to(app: typer.Typer) -> None:
    """Adds the command of this file."""
    app.command()(simulate)


def simulate(
    pool: Annotated[
        Path,
        typer.Option(help='Labelled file of any kind: {"text", "label"} or {"text", "labels"}.'),
    ],
    test: Annotated[
        Path,
        typer.Option(help="The same columns; models are tested on it, nothing is chosen from it."),
    ],
    strategies: Annotated[
        str,
        typer.Option(
            help="Names, separated by commas; random always runs as well.",
            autocompletion=completion.strategies,
        ),
    ] = "auto,random",
    classifier: Annotated[
        str, typer.Option(help="Name of the classifier.", autocompletion=completion.classifiers)
    ] = "tfidf",
    options: Annotated[str, typer.Option(help="Options of the classifier, as JSON.")] = "{}",
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Name of a classifier: labels saved are also compared with it and random labels.",
            autocompletion=completion.classifiers,
        ),
    ] = None,
    baseline_options: Annotated[str, typer.Option(help="Its options, as JSON.")] = "{}",
    batch: Annotated[int, typer.Option(min=1, help="Labels per round.")] = 25,
    budget: Annotated[int, typer.Option(min=1, help="Labels in total.")] = 1000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each strategy.")] = 10,
    noise: Annotated[float, typer.Option(min=0, max=1, help="Share of wrong answers.")] = 0.0,
    random_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of random items in each batch.")
    ] = 0.0,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Metric for labels saved: accuracy or macro_f1 (default: accuracy in a "
            "single-label scheme, macro_f1 in a multi-label one).",
            autocompletion=completion.metrics,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for finished runs and plots.")] = Path(
        "simulation"
    ),
    encoding: Encoding = None,
    json: Json = False,
) -> None:
    """Shows how many labels a strategy would save.

    The loop runs on data that is labelled already, with gold labels in place of annotators.

    No workspace is needed. Finished runs are kept: the same command continues where it stopped.
    """
    from biasloop.domain.measure.curve import METRICS
    from biasloop.reports.json_values import to_json
    from biasloop.simulate.gold import count_nearly_known, leave_out_known, read_gold
    from biasloop.simulate.grid import Grid, run_baseline, run_grid
    from biasloop.simulate.plots import write_html, write_png
    from biasloop.simulate.report import Report
    from biasloop.simulate.run import Setup

    if metric is not None and metric not in METRICS:
        raise fail(f"there is no metric {metric!r}; known are {', '.join(METRICS)}")
    if baseline_options != "{}" and not baseline:
        raise fail("--baseline-options are those of --baseline; name the classifier")
    if batch > budget:
        raise fail(f"--batch {batch} is more than --budget {budget}; give a smaller batch")
    names = tuple(name.strip() for name in strategies.split(",") if name.strip())
    setup = Setup(classifier, _options("--options", options), batch, budget, noise, random_share)
    gold, left_out = leave_out_known(read_gold(pool, test, encoding))
    grid = Grid(gold, setup, names, seeds)
    grid.check()
    other = baseline and replace(
        setup,
        classifier=baseline,
        options=_options("--baseline-options", baseline_options),
    )
    if other:
        Grid(gold, other, (), seeds).check()
    if left_out:
        log(
            f"warning: {left_out} texts of {test} are in {pool} too; they are left out of the "
            f"test, {len(gold.test.texts)} remain"
        )
    nearly = count_nearly_known(gold)
    if nearly:
        log(
            f"warning: {nearly} texts of {test} are nearly the same as texts of {pool} (four "
            "fifths of their words); they stay in the test, whose figures may be too good"
        )
    with progress("simulating", len(grid.arms) * seeds) as done:
        runs = run_grid(grid, out, done)
    compared = None
    if other:
        with progress(f"simulating {baseline}", seeds) as done:
            compared = f"{baseline} with random labels", run_baseline(grid, other, out, done)
    report = Report.from_runs(grid, runs, metric, compared)
    write_html(report, out / "curves.html")
    write_png(report, out / "curves.png")
    if json:
        known = {"test_texts_left_out": left_out, "test_texts_nearly_in_pool": nearly}
        typer.echo(to_json(report.as_dict() | known))
        return
    figures = {arm: report.figures(arm) for arm in report.curves}
    table(
        [
            {"strategy": arm} | {n: _cell(f) for n, f in values.items()}
            for arm, values in figures.items()
        ],
        ["strategy", *figures[grid.arms[0]]],
    )
    say(f"at {budget} labels, {seeds} seeds, 95 %; area and labels saved by {report.metric}")
    if report.absolute:
        say(f"absolute: labels saved compared with {report.absolute}")
    say(f"curves: {out / 'curves.html'}, {out / 'curves.png'}")


def _cell(interval: "Interval | None") -> str | None:
    if interval is None:
        return None
    return f"{interval.value:.2f} {interval.low:.2f}…{interval.high:.2f}"


def _options(name: str, text: str) -> dict[str, Any]:
    try:
        options = json_.loads(text)
    except ValueError as error:
        raise fail(f"{name} is not JSON: {error}") from None
    if not isinstance(options, dict):
        raise fail(f"{name} is not a JSON object: {text[:60]}")
    return options
