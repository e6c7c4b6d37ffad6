"""What an export of a million items takes, by format, next to bare pyarrow.

    OMP_NUM_THREADS=1 nice -n 10 python -m benchmarks.export [--items 1000000] [--formats csv xlsx]

A pool of ads with ten sentences each and two columns of the input, some sentences with labels.
Each export (`--all`: items, votes and ads), with personal data kept and masked, runs in a process
of its own: CPU seconds of the command with its imports, and the largest resident memory, mapped
pages of the pool included. Bare pyarrow reads the same tables with the same columns, as the export
in Parquet left them, in batches as large, and writes them with `ParquetWriter` and with `write_csv`
(lists are joined beforehand, which it cannot do): CPU seconds of reading and writing. It writes
neither JSON lines nor xlsx, so these are compared with Parquet. All texts are made up.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.columns import AdColumns
from biasloop.domain.item import Ad, Item, real_item
from biasloop.domain.label import LabelSource
from biasloop.domain.split import split_of
from biasloop.plugins.exporters.tables import joined_lists
from biasloop.service.service import Service
from biasloop.workspace.create import create_workspace

FORMATS = ("parquet", "csv", "jsonl", "datasets", "xlsx")
SENTENCES, ROWS = 10, 50_000
SENTENCE = "Per la sede {} di Lecco cerchiamo una persona che sappia guidare il furgone. "
CONTACT = "Inviare il CV a selezione{}@example.org oppure telefonare allo 02 1234{:04d}. "
AT = datetime(2026, 5, 4, tzinfo=UTC)


def ads(count: int) -> Iterator[Ad]:
    """Made-up ads; the last sentence of each is how to apply."""
    for n in range(count):
        body = "".join(SENTENCE.format(n * SENTENCES + k) for k in range(SENTENCES - 1))
        columns: AdColumns = {"employer": f"Azienda {n % 97}", "pay": 1_000 + n % 500}
        yield Ad(f"ad-{n}", body + CONTACT.format(n, n % 10_000), "Autista", "it", "prova", columns)


def sentences(ad: Ad) -> Iterator[Item]:
    """The sentences of a made-up ad."""
    start = 0
    for part in ad.text.replace(". ", ".\n").splitlines():
        yield real_item(ad, start, start + len(part), split_of(ad.id, 1))
        start += len(part) + 1


def make_workspace(folder: Path, items: int, labelled: int) -> None:
    """A workspace with that many items, the first of which have one label."""
    create_workspace(folder, "job_ads_it", 1)
    service = Service(folder)
    count = items // SENTENCES
    service.pool.append((item for ad in ads(count) for item in sentences(ad)), ads(count))
    ids = service.pool.column("id", labelled)
    scheme = service.campaign.scheme
    service.ledger.record(
        [
            Annotation(
                key=f"file:{item}", item_id=str(item), source=LabelSource.HUMAN,
                standing=Standing.VOTE, labels=scheme.labels[:1], asked=scheme.labels,
                policy_id="p", annotator="file", at=AT,
            )
            for item in ids
        ]
    )  # fmt: skip
    service.close()


def run_export(workspace: Path, format: str, to: Path, keep: bool) -> tuple[float, float]:
    """CPU seconds and largest memory (MiB) of an export in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.export",
        "--child",
        str(workspace),
        format,
        str(to),
        "keep" if keep else "mask",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, kibibytes = done.stdout.split()[-2:]
    return float(seconds), float(kibibytes) / 1024


def export_here(workspace: str, format: str, to: str, *, keep: bool) -> None:
    """The command itself; prints CPU seconds and the largest memory in KiB."""
    from biasloop.cli.main import app

    masks = ["--keep-personal"] if keep else []
    app(
        ["--workspace", workspace, "export", "--all", "--format", format, "--to", to, *masks],
        standalone_mode=False,
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(time.process_time(), used.ru_maxrss)


def bare(exported: Path, to: Path) -> dict[str, float]:
    """Seconds that bare pyarrow takes to read the tables and to write them again, by format."""
    tables = sorted(exported.glob("*.parquet"))
    for table in tables:
        _flatten(table, to / f"flat-{table.name}")
    begin = time.process_time()
    for table in tables:
        _copy(pq.ParquetFile(table), to / f"bare-{table.name}")
    middle = time.process_time()
    for table in tables:
        _write_csv(pq.ParquetFile(to / f"flat-{table.name}"), to / f"bare-{table.stem}.csv")
    return {"parquet": middle - begin, "csv": time.process_time() - middle}


def _copy(source: pq.ParquetFile, to: Path) -> None:
    with pq.ParquetWriter(to, source.schema_arrow) as writer:
        for batch in source.iter_batches(ROWS):
            writer.write_batch(batch)


def _write_csv(source: pq.ParquetFile, to: Path) -> None:
    with to.open("wb") as file:
        for batch in source.iter_batches(ROWS):
            arrow_csv.write_csv(batch, file, arrow_csv.WriteOptions(include_header=False))


def _flatten(table: Path, to: Path) -> None:
    """Writes the table with each list in one cell."""
    source = pq.ParquetFile(table)
    schema = joined_lists(pa.RecordBatch.from_pylist([], source.schema_arrow)).schema
    with pq.ParquetWriter(to, schema) as writer:
        for batch in source.iter_batches(ROWS):
            writer.write_batch(joined_lists(batch))


def measure(workspace: Path, formats: Sequence[str], folder: Path) -> None:
    """Prints a row for each export; each is deleted once it is measured."""
    kept = folder / "kept"
    run_export(workspace, "parquet", kept, keep=True)
    seconds = bare(kept, folder)
    for format, taken in seconds.items():
        print(f"| bare pyarrow, {format} | {taken:.2f} s | 1 | |", flush=True)
    for format, keep in product(formats, (True, False)):
        target = folder / "export"
        taken, memory = run_export(workspace, format, target, keep)
        ratio = taken / seconds.get(format, seconds["parquet"])
        name = f"{format}, {'kept' if keep else 'masked'}"
        print(f"| {name} | {taken:.1f} s | {ratio:.1f} | {memory:.0f} MiB |", flush=True)
        shutil.rmtree(target)


def main() -> None:
    """Parses the arguments and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--labelled", type=int, default=20_000)
    parser.add_argument("--formats", nargs="*", default=FORMATS)
    parser.add_argument("--child", nargs=4)
    arguments = parser.parse_args()
    if arguments.child:
        workspace, format, to, personal = arguments.child
        export_here(workspace, format, to, keep=personal == "keep")
        return
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Path(temporary) / "workspace"
        make_workspace(workspace, arguments.items, arguments.labelled)
        measure(workspace, arguments.formats, Path(temporary))


if __name__ == "__main__":
    main()
