"""The pairs that a campaign knows: sentences and their rewrites."""

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Item
from biasloop.domain.label import LabelSource
from biasloop.domain.pair import Pair, PairSource, RefusedPair, screen_pairs
from biasloop.domain.split import Split
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import rewrites
from biasloop.rounds.steps.expand.near_duplicates import NearDuplicates
from biasloop.service.service import Service

SOURCES = {LabelSource.SEED: PairSource.SEED, LabelSource.HUMAN: PairSource.HUMAN}
ENGLISH = "en"
CHUNK_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class CampaignPairs:
    """`pairs` can teach, `refused` cannot; `authors` is the number of people whose rewrites are
    among the pairs. Rewrites of audit items are in neither list."""

    pairs: Sequence[Pair]
    refused: Sequence[RefusedPair]
    authors: int


def read_pairs(service: Service, sources: Collection[PairSource]) -> CampaignPairs:
    """A pair for each rewrite of a train item by these sources: the rewrite is preferred to the
    sentence. What says nearly the same as an audit item is refused."""
    annotations = [
        annotation
        for annotation in service.ledger.stream_annotations()
        if annotation.standing is Standing.VOTE and SOURCES.get(annotation.source) in sources
    ]
    items = _read_items(service, {annotation.item_id for annotation in annotations})
    instruction = _read_instruction(service)
    author_of: dict[str, str] = {}
    pairs: list[Pair] = []
    for annotation in annotations:
        item = items.get(annotation.item_id)
        if item is not None and item.split is Split.TRAIN:
            made = _make_pairs(annotation, item, service.campaign.controls, instruction)
            author_of |= {pair.id: annotation.annotator for pair in made}
            pairs += made
    usable, refused = screen_pairs(pairs)
    leaks = _find_leaks(service, usable)
    refused += [
        RefusedPair(pair_id, item_id, "nearly the text of an audit item")
        for pair_id, item_id in sorted(leaks.items())
    ]
    usable = [pair for pair in usable if pair.id not in leaks]
    authors = {author_of[pair.id] for pair in usable if pair.source is PairSource.HUMAN}
    return CampaignPairs(usable, refused, len(authors))


def _find_leaks(service: Service, pairs: Sequence[Pair]) -> dict[str, str]:
    """By id of a pair that has nearly the text of an audit item as an answer, the id of the first
    such item."""
    index = NearDuplicates()
    index.add([text for pair in pairs for text in (pair.chosen, pair.rejected)])
    audit = np.flatnonzero(service.pool.column("split") == Split.AUDIT)
    leaks: dict[str, str] = {}
    for start in range(0, len(audit), CHUNK_ROWS):
        rows = audit[start : start + CHUNK_ROWS]
        for position, number in index.similar_pairs(service.pool.texts(rows)):
            (item,) = service.pool.items(rows[position : position + 1])
            leaks.setdefault(pairs[number // 2].id, item.id)  # two answers a pair
    return leaks


def _read_items(service: Service, item_ids: Collection[str]) -> dict[str, Item]:
    rows = service.pool.rows_of(sorted(item_ids))
    return {item.id: item for item in service.pool.items(rows[rows >= 0]) if item.text}


def _make_pairs(
    annotation: Annotation, item: Item, controls: LabelConfig, instruction: str
) -> list[Pair]:
    imported = annotation.extra.get("rewrite")
    written = [
        *rewrites(annotation.extra.get("result", ()), controls),
        *([imported.strip()] if isinstance(imported, str) else []),
    ]
    return [
        Pair(
            id=f"{annotation.key}#{number}",
            roots=item.roots,
            system="",
            prompt=f"{instruction}\n\n{item.text}",
            chosen=rewrite,
            rejected=item.text,
            source=SOURCES[annotation.source],
        )
        for number, rewrite in enumerate(written)
    ]


def _read_instruction(service: Service) -> str:
    words = tomllib.loads((files("biasloop.tuning") / "words.toml").read_text("utf-8"))
    language = service.campaign.about.language
    instruction: str = words.get(language, words[ENGLISH])["rewrite"]
    return instruction
