"""classify: verdicts of the model in service on texts from anywhere."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.classify_input import Input
from biasloop.cli.context import (
    Json,
    Workspace,
    fail,
    open_workspace,
    print_json,
    progress,
    say,
    table,
    warn,
)
from biasloop.cli.importing import Encoding, column_mapping, count
from biasloop.errors import DataError

if TYPE_CHECKING:
    from biasloop.intake.rejects import RejectsFile
    from biasloop.intake.rows import Reject
    from biasloop.intake.texts import Text
    from biasloop.reports.classify_file import Target
    from biasloop.reports.classify_jobs import Task
    from biasloop.service.service import Service

FORMATS = ("json", "csv", "parquet")


def add_to(root: typer.Typer) -> None:
    """Adds the command of this file."""
    root.command()(classify)


def classify(
    what: Annotated[
        str,
        typer.Argument(
            help="A file or folder with texts, as for import; - for JSON lines on standard input; "
            "or a text."
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            help="File to write (.jsonl, .csv, .parquet) instead of standard output; a killed "
            "run goes on when it is repeated. A summary is printed.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="json (a line for each text, the default), csv, or with --to parquet.",
            autocompletion=lambda: list(FORMATS),
            show_default=False,
        ),
    ] = None,
    per: Annotated[
        str,
        typer.Option(help="text or sentence: what a row of a table written with --to is about."),
    ] = "text",
    jobs: Annotated[
        int, typer.Option(help="Number of processes that classify.", min=1, max=256)
    ] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that exists, or begin again.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="HTML file for people on one text: words, reasons, another wording.",
            show_default=False,
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="FIELD=COLUMN for id, text, title or language in another column; repeatable."
        ),
    ] = None,
    encoding: Encoding = None,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Gives verdicts of the model in service on texts or one ad.

    A verdict has the text's id, title and columns, probabilities, thresholds, flagged labels,
    sentences, and the words that carry it. A bad row is named on standard error. Exit status 1: no
    text was read.
    """
    from biasloop.reports.classify_jobs import task_of

    source = Input(what, column_mapping(column), encoding)
    if report is not None:
        if to or format or json or jobs > 1 or per != "text":
            raise fail("--report goes with --force and --column alone")
        _write_report(source, report, open_workspace(workspace), force=force)
        return
    if to is None:
        if format not in (None, "json", "csv"):
            raise fail("--format must be json or csv, or parquet with --to FILE")
        if json or force or per != "text":
            raise fail("--json, --force and --per are for verdicts in a file; name it with --to")
        task = task_of(open_workspace(workspace))
        _print_verdicts(source, task, jobs, as_csv=format == "csv")
        return
    target = _target(to, format, per, force=force)
    target.check()
    target.check_apart(source.path)
    task = task_of(open_workspace(workspace))
    _write_verdicts(source, task, target, jobs, json=json)


def _target(to: Path, format: str | None, per: str, *, force: bool) -> "Target":
    from biasloop.reports.classify_file import Target
    from biasloop.reports.classify_tables import JSON, format_of

    chosen = format or format_of(to)
    if chosen not in FORMATS:
        raise fail(
            f"--format must be json, csv or parquet, or {to} must end in .jsonl, .csv or .parquet"
        )
    if per not in ("text", "sentence"):
        raise fail("--per must be text or sentence")
    if per == "sentence" and chosen == JSON:
        raise fail("--per is for tables; in JSON lines the sentences stand with their text")
    return Target(to, chosen, by_sentence=per == "sentence", force=force)


def _write_report(source: Input, path: Path, service: "Service", *, force: bool) -> None:
    from biasloop.reports.ad_report import ad_report
    from biasloop.reports.classify_file import check_apart, check_free
    from biasloop.store.atomic import write_whole

    check_free(path, force=force)
    check_apart(path, source.path)
    texts = source.texts(_warn_of_reject)
    text = next(texts)
    if next(texts, None) is not None:
        raise DataError(f"{source.what} holds several texts, and --report is on one; give it alone")
    write_whole(path, ad_report(service, text))
    say(str(path))


def _warn_of_reject(reject: "Reject") -> None:
    warn(f"rejected: line {reject.line}: {reject.reason}")


def _print_verdicts(source: Input, task: "Task", jobs: int, *, as_csv: bool) -> None:
    from biasloop.intake.texts import in_chunks
    from biasloop.reports.classify import BATCH_CHARACTERS, BATCH_SIZE, flat_verdict
    from biasloop.reports.classify_jobs import classify_in_order
    from biasloop.reports.json_values import to_json

    texts = source.texts(_warn_of_reject)
    if as_csv:
        _echo(_csv_line(["id", "flagged", *(f"p_{name}" for name in task.scheme.labels)]))
    for verdicts in classify_in_order(in_chunks(texts, BATCH_SIZE, BATCH_CHARACTERS), task, jobs):
        for verdict in verdicts:
            _echo(_csv_line(flat_verdict(verdict).values()) if as_csv else to_json(verdict))
    for note in () if as_csv else source.kept.notes(in_table=False):
        warn(note)


def _write_verdicts(
    source: Input, task: "Task", target: "Target", jobs: int, *, json: bool
) -> None:
    from biasloop.intake.files import size
    from biasloop.intake.rejects import RejectsFile
    from biasloop.reports.classify_file import classify_to_file, fingerprint

    path = source.path
    run = fingerprint(path, task, columns=source.columns, encoding=source.encoding)

    def texts() -> "Iterator[Text]":
        # Only once they are read: until then the file may be that of a run which is not over.
        target.rejects.unlink(missing_ok=True)
        yield from source.texts(rejects.add, done)

    with (
        RejectsFile(target.rejects) as rejects,
        progress(f"classify {source.what[:40]}", size(path) if path else None) as done,
    ):
        summary = classify_to_file(texts(), task, target, jobs=jobs, run=run)
    for note in source.kept.notes(in_table=target.format != "json"):
        warn(note)
    facts = {"file": str(target.path), "model": task.folder.name, **summary.facts()}
    facts |= {
        "rejected": rejects.count,
        "rejects_file": str(rejects.path) if rejects.count else None,
    }
    _warn_of_rejects(rejects)
    if json:
        print_json(facts)
    else:
        _say_summary(facts)


def _warn_of_rejects(rejects: "RejectsFile") -> None:
    for reason in rejects.reasons:
        warn(f"rejected: {reason}")
    if rejects.count > len(rejects.reasons):
        warn(f"rejected: {rejects.count - len(rejects.reasons)} more; all are in {rejects.path}")


def _say_summary(facts: Mapping[str, Any]) -> None:
    say(
        f"{facts['file']}: {count(facts['texts'], 'text')}, "
        f"{count(facts['sentences'], 'sentence')}, {facts['rejected']} rejected; "
        f"{facts['flagged']} texts flagged by the model {facts['model']}"
    )
    rows = [
        {
            "label": label,
            "texts": counts["texts"],
            "share": f"{counts['share_of_texts']:.1%}",
            "sentences": counts["sentences"],
            "share of sentences": f"{counts['share_of_sentences']:.1%}",
        }
        for label, counts in facts["labels"].items()
    ]
    table(rows, ["label", "texts", "share", "sentences", "share of sentences"])
    if facts["uncertain"]:
        say("least certain:")
    for doubt in facts["uncertain"]:
        say(
            f"  {doubt['id']}: {doubt['label']} {doubt['probability']:.2f}, threshold "
            f"{doubt['threshold']:.2f}: {' '.join(doubt['sentence'].split())[:100]}"
        )
    say(facts["note"])


def _echo(line: str) -> None:
    # UTF-8 whatever the locale; half a surrogate pair goes out as JSON's escape.
    typer.echo(line.encode("utf-8", "backslashreplace"))


def _csv_line(values: Iterable[Any]) -> str:
    from biasloop.plugins.exporters.csv import cell

    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([cell(value) for value in values])
    return line.getvalue()
