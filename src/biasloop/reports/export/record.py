"""What was exported and how: the file that makes a folder an export."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from biasloop import __version__
from biasloop.reports.export.columns import Dictionary
from biasloop.reports.export.filters import Filters
from biasloop.reports.export.folder import RECORD
from biasloop.reports.export.masking import Masker
from biasloop.service.service import Service

PACKAGES = ("phonenumbers", "pyarrow", "python-stdnum")
"""What else decides which bytes are written."""
OF_INPUT = frozenset({"source", "where"})
"""Filters whose values come from ads."""

Masked = Mapping[str, Mapping[str, int]]
"""How many places of personal data were masked, by table and kind."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to export. `whole`: items without a label, too; `verdicts`: with what the model in
    service says of each (of all items, too). `separator` of cells is for CSV alone. Personal data
    is masked unless `keep_personal`."""

    format: str = "parquet"
    separator: str | None = None
    filters: Filters = field(default_factory=Filters)
    whole: bool = False
    verdicts: bool = False
    keep_personal: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was written: its name, its file below the folder, its columns and rows."""

    name: str
    file: str
    columns: Dictionary
    rows: int


def command(request: Request) -> str:
    """The command that makes this export, without the folder that it is written to. Personal data
    in the values of filters is masked as in the tables."""
    return shlex.join(["biasloop", "export", *_options(request)])


def _options(request: Request) -> Iterator[str]:
    yield from ("--format", request.format)
    if request.separator:
        yield from ("--separator", request.separator)
    if request.whole:
        yield "--all"
    if request.verdicts:
        yield "--verdicts"
    if request.keep_personal:
        yield "--keep-personal"
    masker = None if request.keep_personal else Masker()
    for name, value in request.filters.given.items():
        for one in value if isinstance(value, tuple) else [value]:
            column, text = one if isinstance(one, tuple) else ("", str(one))
            if masker is not None and name in OF_INPUT:
                text = masker.mask_cell("ads", column, text)
            yield from (f"--{name.replace('_', '-')}", f"{column}={text}" if column else text)


def write_record(
    service: Service,
    request: Request,
    tables: Sequence[Table],
    masked: Masked | None,
    folder: Path,
) -> dict[str, Any]:
    """Writes export.json and returns what it says. Nothing in it depends on the clock or on the
    machine: `ledger` is the number of the newest annotation, `pool` the number of rows."""
    record = {
        "command": command(request),
        "campaign": service.campaign.about.name,
        "guideline": service.current_policy.id,
        "ledger": service.ledger.sequence(),
        "pool": len(service.pool),
        "tables": {table.name: {"file": table.file, "rows": table.rows} for table in tables},
        "masked": masked,
        "versions": {"biasloop": __version__, **{name: version(name) for name in PACKAGES}},
    }
    (folder / RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return record
