"""Versions of a labelled item that differ from it in one thing. Offline, no LLM.

Counterfactual data augmentation: Zmigrod et al. (2019), "Counterfactual Data Augmentation for
Mitigating Gender Stereotypes in Languages with Rich Morphology"; labels follow from the change
as in contrast sets (Gardner et al. 2020).
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np

from biasloop.domain.item import Item, synthetic_item, text_hash
from biasloop.domain.label import LabelSource
from biasloop.domain.split import Split
from biasloop.domain.text import in_one_line
from biasloop.domain.writing.synthesis import SyntheticItem
from biasloop.plugins.expanders.clauses import (
    clause_removals,
    clause_versions,
    disclaimer_versions,
    read_clauses,
)
from biasloop.plugins.expanders.draft import Draft
from biasloop.plugins.expanders.gender import gender_versions
from biasloop.plugins.expanders.labels import read_names
from biasloop.plugins.expanders.occupations import occupation_versions
from biasloop.plugins.expanders.seeds import Seed, read_seeds
from biasloop.plugins.language.data import read_language
from biasloop.plugins.registry import Options

Labelled = tuple[Item, tuple[str, ...]]


class CounterfactualOptions(Options):
    """`folder` is the campaign's folder in the workspace; its `seeds` and `counterfactual`
    folders are read. At most `max_per_parent` synthetic items descend from one parent."""

    folder: Path
    max_per_parent: int = 6


class Counterfactual:
    """Versions written by a seed's author, and versions made with the campaign's language data.

    A campaign without a `counterfactual` folder has only the written ones. The labels are
    known by construction. Raises CampaignError when the campaign's data cannot be read.
    """

    def __init__(self, options: CounterfactualOptions) -> None:
        self._limit = options.max_per_parent
        data = options.folder / "counterfactual"
        self._language = read_language(data)
        none_label = None
        if self._language is not None:
            self._names = read_names(data / "labels.toml")
            self._clauses = read_clauses(data / "clauses.toml")
            none_label = self._names.none
        self._seeds = read_seeds(options.folder / "seeds", none_label)

    def expand(self, parents: Sequence[Labelled], seed: int) -> Iterator[SyntheticItem]:
        """Versions of the train items in `parents`; audit items are skipped.

        No text of the batch and no earlier version is repeated.
        """
        taken = {item.text_hash for item, _ in parents}
        for item, labels in parents:
            if item.split is not Split.TRAIN:
                continue
            for draft in islice(self._new_drafts(item, labels, seed, taken), self._limit):
                child = synthetic_item((item,), draft.text, draft.operation)
                yield SyntheticItem(child, draft.labels, LabelSource.CONSTRUCTED)

    def _new_drafts(
        self, item: Item, labels: tuple[str, ...], seed: int, taken: set[str]
    ) -> Iterator[Draft]:
        """Drafts whose text is not in `taken` yet, one of each kind and variant."""
        seed_sentence = self._seeds.get(item.text_hash)
        written = seed_sentence.versions if seed_sentence else ()
        keys: set[str] = set()
        for draft in chain(written, self._rewritten(item, labels, seed_sentence, seed)):
            key = text_hash(draft.text)
            if key not in taken and draft.key not in keys:
                taken.add(key)
                keys.add(draft.key)
                yield draft

    def _rewritten(
        self, item: Item, labels: tuple[str, ...], seed_sentence: Seed | None, seed: int
    ) -> Iterator[Draft]:
        """Drafts of all operations, one of each in turn, in a seeded order."""
        language = self._language
        if language is None:
            return
        text, names, clauses = in_one_line(item.text), self._names, self._clauses
        spans = seed_sentence.spans if seed_sentence and seed_sentence.text == text else ()
        rng = np.random.default_rng([seed, int(item.text_hash, 16)])
        families = [
            gender_versions(text, labels, language, names),
            clause_removals(text, labels, spans, clauses, language, names),
            clause_versions(text, labels, clauses, names),
            disclaimer_versions(text, labels, clauses, language, names),
            occupation_versions(text, labels, language),
        ]
        shuffled = [_shuffled(list(family), rng) for family in families]
        for turn in zip_longest(*shuffled):
            yield from (draft for draft in turn if draft is not None)


def _shuffled(drafts: list[Draft], rng: np.random.Generator) -> list[Draft]:
    return [drafts[i] for i in rng.permutation(len(drafts))]
