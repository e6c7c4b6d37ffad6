"""The documents of an export: README.md (card for `datasets`, data dictionary, datasheet) and
croissant.json.

Sources: T. Gebru et al. 2021, "Datasheets for Datasets", CACM 64(12), whose questions the datasheet
answers from the campaign; "Croissant Format Specification", version 1.0, MLCommons 2024.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from biasloop import __version__
from biasloop.domain.annotation import Standing
from biasloop.reports.export.folder import CHECKSUMS, RECORD, sha256
from biasloop.reports.export.record import Masked, Request, Table, command
from biasloop.service.service import Service

README, CROISSANT = "README.md", "croissant.json"
READ_BY_DATASETS = frozenset({"parquet", "datasets", "csv", "jsonl"})
MEDIA = {
    ".parquet": "application/x-parquet",
    ".csv": "text/csv",
    ".jsonl": "application/jsonlines",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
KEPT = (
    "**Kept**: ads may name people, and give their addresses and numbers. Share this export only "
    "with those who may process them (GDPR, article 6)."
)
CROISSANT_TYPES = {
    str: "sc:Text",
    int: "sc:Integer",
    float: "sc:Float",
    bool: "sc:Boolean",
    date: "sc:Date",
    datetime: "sc:DateTime",
    list: "sc:Text",
    dict: "sc:Text",
}
CITE = "https://doi.org/10.1109/CSR61664.2024.10679450"


def write_documents(
    service: Service,
    request: Request,
    tables: Sequence[Table],
    masked: Masked | None,
    folder: Path,
) -> None:
    """Writes both. Nothing in them depends on the clock or on the machine."""
    lines = [*_front_matter(service, request, tables), *_card(service, request, tables)]
    lines += _privacy(masked)
    (folder / README).write_text("\n".join(lines) + "\n", "utf-8")
    croissant = _croissant(service, tables, folder)
    (folder / CROISSANT).write_text(
        json.dumps(croissant, ensure_ascii=False, indent=2) + "\n", "utf-8"
    )


# --- README.md ------------------------------------------------------------------------------------


def _front_matter(service: Service, request: Request, tables: Sequence[Table]) -> Iterator[str]:
    """What `datasets.load_dataset(FOLDER)` reads: a configuration for each table. JSON is YAML."""
    yield "---"
    yield f"pretty_name: {json.dumps(service.campaign.about.title)}"
    yield f"language: [{json.dumps(service.campaign.about.language)}]"
    if request.format in READ_BY_DATASETS:
        yield "configs:"
        for table in tables:
            yield f"- config_name: {table.name}"
            yield f"  data_files: {json.dumps(table.file)}"
            if table.name == "items":
                yield "  default: true"
            if request.separator:
                yield f"  sep: {json.dumps(request.separator)}"
    yield "---"


def _card(service: Service, request: Request, tables: Sequence[Table]) -> Iterator[str]:
    about = service.campaign.about
    yield from ("", f"# {about.title}", "")
    yield f"The campaign `{about.name}`, exported by biasloop {__version__} with"
    yield from ("", "```console", f"$ {command(request)}", "```", "")
    yield f"`{RECORD}` says from which state, `{CHECKSUMS}` has the checksums."
    yield from ("", "## How to cite", "")
    yield (
        f"Cite this corpus by its title, the newest date in it ({_newest(service) or 'none'}) and "
        f"the checksum of its `{RECORD}`, and the method by {CITE}."
    )
    yield from ("", "## Columns", "")
    for table in tables:
        yield from (f"### {table.name} (`{table.file}`, {table.rows} rows)", "")
        yield from ("| column | type | meaning |", "| --- | --- | --- |")
        for name, column in table.columns.items():
            yield f"| `{_cell(name)}` | {column.kind.__name__} | {_cell(column.meaning)} |"
        yield ""
    yield from _datasheet(service)


def _privacy(masked: Masked | None) -> Iterator[str]:
    yield from ("## Personal data", "")
    if masked is None:
        yield KEPT
        return
    counted = {kind: n for counts in masked.values() for kind, n in counts.items()}
    by_table = "; ".join(
        f"{table}: " + (", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "none")
        for table, counts in masked.items()
    )
    yield f"Masked, each character by a block ({by_table})." if counted else "None was found."
    yield (
        "Addresses and numbers are found by their form and checksums, names of contact persons "
        'only behind words such as "contact" or "Dr". What has another form is still there; ids, '
        "languages and names of columns are as they were imported."
    )


def _datasheet(service: Service) -> Iterator[str]:
    """The questions of Gebru et al. that a campaign can answer itself; the rest is left to its
    authors, and said to be."""
    yield from ("## Datasheet", "")
    for question, answer in _answers(service).items():
        yield from (f"**{question}** {answer}", "")


def _answers(service: Service) -> dict[str, str]:
    labels = service.campaign.about.labels
    named = "; ".join(
        f"`{name}`" + (f" ({labels[name]})" if labels.get(name) else "")
        for name in service.campaign.scheme.choices
    )
    sources, people = _counts(service)
    by_source = ", ".join(f"{number} {source}" for source, number in sorted(sources.items()))
    rounds = [round_.id for round_ in service.ledger.rounds.all()]
    plan = service.settings.vote_plan
    versions = service.ledger.policies.all()
    stats = service.pool.stats()
    return {
        "What do the instances represent?": (
            f"{stats.items} texts of {stats.ads} job ads and texts written for the campaign; one "
            f"is a {service.campaign.about.unit}."
        ),
        "What is each labelled with?": f"{named}.",
        "Who labelled, and how?": (
            f"{people} annotators in Label Studio, under pseudonyms; labels that stand: "
            f"{by_source or 'none'}. An item is shown to {plan.per_item} of them, an audit item to "
            f"{plan.audit}; votes are combined by `{service.settings.votes.consensus}`."
        ),
        "Under which guideline?": (
            f"{len(versions)} version(s), in force since: "
            + ", ".join(f"`{p.id}` {at:%Y-%m-%d}" for at, p in versions)
            + ". The column `policies` says which."
        ),
        "How well do annotators agree?": (
            "The columns `votes`, `agreement` and `share_…` say it for each item, and "
            "`biasloop status` for the campaign, with intervals."
        ),
        "How were instances chosen?": (
            f"In {len(rounds)} round(s) of active learning. Only the arms `audit` and "
            "`random_train` are random samples: **the share of labels among all labelled items "
            "is not their share in the ads**. Weight random items by 1 / `inclusion_probability`."
        ),
        "Are there recommended splits?": (
            "The column `split`. Nothing may learn from `audit`, on which figures are reported. "
            "`datasets` calls the one file of each table `train`; that is not this column."
        ),
        "What is missing?": (
            "Texts that were taken down. An empty list of labels says that none applies; labels "
            "that are not in `asked` are unknown."
        ),
        "Why was it made, by whom, under which licence, and who maintains it?": (
            "The campaign does not say; its authors should add it here before they give it out."
        ),
    }


def _counts(service: Service) -> tuple[dict[str, int], int]:
    """The standing labels by source, and the number of annotators."""
    sources = {
        str(source): number
        for source, standing, number, _ in service.ledger.annotation_counts()
        if standing is Standing.VOTE
    }
    return sources, len({annotator for _, annotator in service.ledger.authors()})


def _newest(service: Service) -> str:
    at = max((newest for *_, newest in service.ledger.annotation_counts()), default=None)
    return f"{at:%Y-%m-%d}" if at else ""


def _cell(text: str) -> str:
    """Text in a table of Markdown."""
    return " ".join(text.replace("|", "\\|").replace("`", "'").split())


# --- croissant.json -------------------------------------------------------------------------------


def _croissant(service: Service, tables: Sequence[Table], folder: Path) -> dict[str, Any]:
    about = service.campaign.about
    newest = _newest(service)
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": about.name,
        "description": f"{about.title}: a labelled corpus of job ads.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": f"1.0.{service.ledger.sequence()}",
        "url": CITE,
        "citeAs": f"{about.title}, {newest or 'undated'}. Method: {CITE}",
        "inLanguage": about.language,
        "license": "not stated",
        "distribution": [_file(table, folder) for table in tables],
    }
    if newest:
        document["datePublished"] = newest
    if all(Path(table.file).suffix != ".xlsx" for table in tables):
        document["recordSet"] = [_record_set(table) for table in tables]
    return document


def _file(table: Table, folder: Path) -> dict[str, Any]:
    path = folder / table.file
    return {
        "@type": "cr:FileObject",
        "@id": table.file,
        "name": table.name,
        "contentUrl": table.file,
        "encodingFormat": MEDIA.get(path.suffix, "application/octet-stream"),
        "sha256": sha256(path),
    }


def _record_set(table: Table) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{table.name}/{name}",
            "name": name,
            "description": column.meaning,
            "dataType": CROISSANT_TYPES[column.kind],
            "source": {"fileObject": {"@id": table.file}, "extract": {"column": name}},
            **_repeated(column.kind, table),
        }
        for name, column in table.columns.items()
    ]
    return {"@type": "cr:RecordSet", "@id": table.name, "name": table.name, "field": fields}


def _repeated(kind: type, table: Table) -> Mapping[str, bool]:
    return {"repeated": True} if kind is list and not table.file.endswith(".csv") else {}


CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context of the specification."""
