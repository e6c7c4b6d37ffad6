"""The pairs that a campaign knows: sentences and their rewrites."""

import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Item, text_hash
from biasloop.domain.label import LabelSource
from biasloop.domain.pair import Pair, PairSource, RefusedPair, screen_pairs
from biasloop.domain.split import Split
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import rewrites
from biasloop.service.service import Service

SOURCES = {LabelSource.SEED: PairSource.SEED, LabelSource.HUMAN: PairSource.HUMAN}
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class CampaignPairs:
    """`pairs` can teach, `refused` cannot; `authors` is the number of people whose rewrites are
    among the pairs. Rewrites of audit items are in neither."""

    pairs: Sequence[Pair]
    refused: Sequence[RefusedPair]
    authors: int


def read_pairs(service: Service, sources: Collection[PairSource]) -> CampaignPairs:
    """A pair for each rewrite of a train item by these sources: the rewrite is preferred to the
    sentence. What says the same as an audit item teaches nothing."""
    annotations = [
        annotation
        for annotation in service.ledger.stream_annotations()
        if annotation.standing is Standing.VOTE and SOURCES.get(annotation.source) in sources
    ]
    items = _items(service, {annotation.item_id for annotation in annotations})
    splits, hashes = service.pool.column("split"), service.pool.column("text_hash")
    of_audit = set(hashes[splits == Split.AUDIT].tolist())
    pairs: list[Pair] = []
    author_of: dict[str, str] = {}
    for annotation in annotations:
        item = items.get(annotation.item_id)
        if item is None or item.split is Split.AUDIT or item.text_hash in of_audit:
            continue
        for pair in _pairs_of(annotation, item, service.campaign.controls, _prompt(service)):
            if text_hash(pair.chosen) not in of_audit:
                pairs.append(pair)
                author_of[pair.id] = annotation.annotator
    usable, refused = screen_pairs(pairs)
    by_people = {author_of[pair.id] for pair in usable if pair.source is PairSource.HUMAN}
    return CampaignPairs(usable, refused, len(by_people))


def _items(service: Service, item_ids: Collection[str]) -> dict[str, Item]:
    rows = service.pool.rows_of(sorted(item_ids))
    return {item.id: item for item in service.pool.items(rows[rows >= 0]) if item.text}


def _pairs_of(
    annotation: Annotation, item: Item, controls: LabelConfig, instruction: str
) -> Iterator[Pair]:
    imported = annotation.extra.get("rewrite")
    written = [
        *rewrites(annotation.extra.get("result", ()), controls),
        *([imported.strip()] if isinstance(imported, str) else []),
    ]
    for number, rewrite in enumerate(written):
        yield Pair(
            id=f"{annotation.key}#{number}",
            root=item.roots[0],
            system="",
            prompt=f"{instruction}\n\n{item.text}",
            chosen=rewrite,
            rejected=item.text,
            source=SOURCES[annotation.source],
        )


def _prompt(service: Service) -> str:
    words = tomllib.loads((files("biasloop.tuning") / "words.toml").read_text("utf-8"))
    language = service.campaign.about.language
    instruction: str = words.get(language, words[ENGLISH])["rewrite"]
    return instruction
