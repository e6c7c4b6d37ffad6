"""Writes an export: three tables, and the documents that explain them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from biasloop.domain.annotation import pseudonyms
from biasloop.errors import WorkspaceError
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Exporter
from biasloop.reports.export.ads import read_ads
from biasloop.reports.export.columns import ADS, ITEMS, VOTES, Dictionary, kinds
from biasloop.reports.export.documents import write_documents
from biasloop.reports.export.facts import fact_columns, read_facts
from biasloop.reports.export.filters import Sieve
from biasloop.reports.export.folder import check_free, new_folder
from biasloop.reports.export.items import Corpus, ad_columns, item_columns
from biasloop.reports.export.machine import MachineFacts
from biasloop.reports.export.masking import Masker
from biasloop.reports.export.record import Masked, Request, Table, write_record
from biasloop.reports.export.verdicts import ModelVerdicts
from biasloop.reports.export.votes import vote_batches
from biasloop.service.service import Service
from biasloop.store.control import Event
from biasloop.store.export_log import ExportLog


@dataclass(frozen=True, slots=True)
class Export:
    """What was written into `folder`. `masked` counts places of personal data by table and kind;
    None: they were kept."""

    folder: Path
    tables: tuple[Table, ...]
    masked: Masked | None
    recorded: bool


Progress = Callable[[int], None]


def write_export(
    service: Service, request: Request, folder: Path, *, force: bool, progress: Progress
) -> Export:
    """Writes the tables in batches. `progress` gets the number of rows of the pool that were read.

    Raises WorkspaceError when something is in the folder already (see `check_free`), UnknownName
    for a format or a name in a filter that does not exist, DataError for a value that the format
    cannot hold, ClassifierError for `verdicts` without a model. The folder is then as it was.
    """
    options = {"separator": request.separator} if request.separator else None
    exporter: Exporter = create(Kind.EXPORTER, request.format, options)
    check_free(folder, force)
    with _detect_takedown(service) as log, new_folder(folder, force) as temporary:
        corpus, people = _corpus(service, request)
        writer = _Writer(exporter, temporary)
        items = item_columns(corpus, fact_columns(service.campaign.scheme.labels))
        writer.write("items", items, corpus.item_batches(items, progress))
        filtered = corpus.is_exported if corpus.narrowed else None
        writer.write("votes", VOTES, vote_batches(service, people, filtered, corpus.masker))
        ads = ad_columns(corpus)
        writer.write("ads", ads, corpus.ad_batches(ads))
        masked = corpus.masker.counts if corpus.masker else None
        write_record(service, request, writer.tables, masked, temporary)
        write_documents(service, request, writer.tables, masked, temporary)
        recorded = log(folder, writer.ad_ids)
    return Export(folder, tuple(writer.tables), masked, recorded)


@contextmanager
def _detect_takedown(service: Service) -> Iterator[Callable[[Path, Iterable[str]], bool]]:
    """Yields a function that logs which ads an export holds, to be called before it appears. A
    takedown then either finds the export in the log, or its event is seen here and WorkspaceError
    raised. The function returns False in a workspace that can only be read. The record is deleted
    if the block raises."""
    before, records = service.ledger.control.last_event(Event.TAKEN_DOWN), list[Path]()

    def log(folder: Path, ad_ids: Iterable[str]) -> bool:
        with suppress(OSError):
            export_log = ExportLog(service.layout.export_log)
            records.append(export_log.record(folder, ad_ids, datetime.now(UTC)))
        if service.ledger.control.last_event(Event.TAKEN_DOWN) != before:
            raise WorkspaceError("an ad was taken down during the export; export again")
        return bool(records)

    try:
        yield log
    except BaseException:
        for path in records:
            path.unlink(missing_ok=True)
        raise


def _corpus(service: Service, request: Request) -> tuple[Corpus, dict[str, str]]:
    """What the tables are made from, and the pseudonyms of annotators."""
    people = pseudonyms(service.ledger.authors())
    ads = read_ads(service.pool)
    sieve = Sieve(request.filters, service, ads, people)
    verdicts = ModelVerdicts(service) if request.verdicts else None
    facts = read_facts(service)  # before the masker: each takes memory that the other does not need
    masker = None if request.keep_personal else Masker()
    if masker is not None:
        masker.read_ads(ads.batches())
    of_facts = fact_columns(service.campaign.scheme.labels)
    taken = {*ITEMS, *VOTES, *ADS, *of_facts, *(verdicts.columns if verdicts else ())}
    corpus = Corpus(
        pool=service.pool,
        facts=facts,
        machine=MachineFacts(service),
        ads=ads if masker is None else ads.masked(masker),
        sieve=sieve,
        verdicts=verdicts,
        masker=masker,
        kept=ads.columns(taken),
        whole=request.whole or request.verdicts,
        narrowed=bool(request.filters.given),
    )
    return corpus, people


class _Writer:
    """Writes tables, counts their rows, and collects the ads that they hold texts of."""

    def __init__(self, exporter: Exporter, folder: Path) -> None:
        self._exporter, self._folder = exporter, folder
        self.tables: list[Table] = []
        self.ad_ids: set[str] = set()
        self._rows = 0

    def write(self, name: str, columns: Dictionary, batches: Iterable[pa.RecordBatch]) -> None:
        self._rows = 0
        path = self._exporter.write(name, kinds(columns), self._counted(batches), self._folder)
        file = path.relative_to(self._folder).as_posix()
        self.tables.append(Table(name, file, columns, self._rows))

    def _counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._rows += len(batch)
            if "ad_id" in batch.schema.names:
                self.ad_ids.update(pc.unique(batch["ad_id"].drop_null()).to_pylist())
            if "roots" in batch.schema.names:
                self.ad_ids.update(pc.unique(pc.list_flatten(batch["roots"])).to_pylist())
            yield batch
