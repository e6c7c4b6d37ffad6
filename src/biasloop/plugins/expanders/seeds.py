"""The seeds of a campaign, with the versions and spans that their authors wrote."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biasloop.domain.item import text_hash
from biasloop.domain.text import normalise
from biasloop.errors import CampaignError, DataError
from biasloop.intake.objects import read_objects
from biasloop.plugins.expanders.draft import Draft


@dataclass(frozen=True, slots=True)
class Span:
    """The words text[start:end], which carry `label`."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Seed:
    """A seed sentence, normalised, with its written versions, the spans of its labels, and its
    register and form ("" where its author gave none)."""

    text: str
    versions: tuple[Draft, ...]
    spans: tuple[Span, ...]
    register: str = ""
    form: str = ""


def read_seeds(folder: Path, none_label: str | None) -> Mapping[str, Seed]:
    """The seeds in folder/*.jsonl by text hash; empty if the folder does not exist.

    A row's `rewrite` becomes a version: the sentence without the problem, so its label is
    `none_label` (None: rewrites are skipped). Rows without labels are skipped.
    Raises CampaignError naming file and line when a row cannot be read.
    """
    seeds: dict[str, Seed] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for number, row in _rows(path):
            try:
                seed = _seed(row, none_label)
            except (KeyError, TypeError, AttributeError) as error:
                raise CampaignError(
                    f"{path}, line {number}: a seed or one of its versions is unreadable "
                    f"({error!r}); versions need form, text and labels"
                ) from error
            if seed is not None:
                seeds[text_hash(seed.text)] = seed
    return seeds


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        yield from read_objects(path)
    except DataError as error:
        raise CampaignError(str(error)) from error


def _seed(row: Mapping[str, Any], none_label: str | None) -> Seed | None:
    if row.get("labels") is None:
        return None
    normal = normalise(row["text"])
    return Seed(
        text=normal.text,
        versions=tuple(_versions(row, none_label)),
        spans=tuple(
            Span(*normal.span_of_original(span["start"], span["end"]), span["label"])
            for span in row.get("spans") or ()
        ),
        register=row.get("register") or "",
        form=row.get("form") or "",
    )


def _versions(row: Mapping[str, Any], none_label: str | None) -> Iterator[Draft]:
    for version in row.get("versions") or ():
        yield Draft(version["text"], tuple(version["labels"]), f"version:{version['form']}")
    rewrite = row.get("rewrite")
    if rewrite and none_label and list(row["labels"]) != [none_label]:
        yield Draft(rewrite, (none_label,), "rewrite")
