"""What an export of a million items takes, by format, next to bare pyarrow.

    nice -n 10 python -m benchmarks.export [--items 1000000] [--formats csv] [--keep-personal]

A pool of ads with ten sentences each and two columns of the input, some sentences with labels.
Each export (`--all`: items and ads) runs in a process of its own: CPU seconds of the command with
its imports, and the largest resident memory, mapped pages of the pool included. Bare pyarrow
reads the items as an export in Parquet left them, in batches as large, and writes them with
`ParquetWriter` and with `write_csv` (lists are joined beforehand, which it cannot do): CPU seconds
of reading and writing. All texts are made up.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
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
SENTENCES = 10
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


def bare(items: Path, to: Path) -> dict[str, float]:
    """Seconds that bare pyarrow takes to read the items and to write them again, by format."""
    seconds = {}
    begin = time.process_time()
    source = pq.ParquetFile(items)
    with pq.ParquetWriter(to / "bare.parquet", source.schema_arrow) as writer:
        for batch in source.iter_batches(50_000):
            writer.write_batch(batch)
    seconds["parquet"] = time.process_time() - begin
    flat = to / "flat.parquet"
    _flatten(source, flat)
    begin = time.process_time()
    with (to / "bare.csv").open("wb") as file:
        for batch in pq.ParquetFile(flat).iter_batches(50_000):
            arrow_csv.write_csv(batch, file, arrow_csv.WriteOptions(include_header=False))
    seconds["csv"] = time.process_time() - begin
    return seconds


def _flatten(source: pq.ParquetFile, to: Path) -> None:
    writer = None
    for batch in source.iter_batches(50_000):
        flat: pa.RecordBatch = joined_lists(batch)
        writer = writer or pq.ParquetWriter(to, flat.schema)
        writer.write_batch(flat)
    if writer is not None:
        writer.close()


def main() -> None:
    """Parses the arguments and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--labelled", type=int, default=20_000)
    parser.add_argument("--formats", nargs="*", default=FORMATS)
    parser.add_argument("--keep-personal", action="store_true")
    parser.add_argument("--child", nargs=3)
    arguments = parser.parse_args()
    if arguments.child:
        export_here(*arguments.child, keep=arguments.keep_personal)
        return
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Path(temporary) / "workspace"
        make_workspace(workspace, arguments.items, arguments.labelled)
        for format in dict.fromkeys(["parquet", *arguments.formats]):
            seconds, memory = run_export(
                workspace, format, Path(temporary) / format, arguments.keep_personal
            )
            print(f"| {format} | {seconds:.1f} s | {memory:.0f} MiB |", flush=True)
        for format, seconds in bare(
            Path(temporary) / "parquet" / "items.parquet", Path(temporary)
        ).items():
            print(f"| bare pyarrow, {format} | {seconds:.1f} s | |")


if __name__ == "__main__":
    main()
