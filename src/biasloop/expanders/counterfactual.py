"""Versions of a labelled item that differ from it in one thing. Offline, no LLM."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from biasloop.domain.item import Item, synthetic_item, text_hash
from biasloop.domain.label import LabelSource
from biasloop.domain.split import Split
from biasloop.expanders.draft import Draft
from biasloop.expanders.written import read_versions
from biasloop.ports import Made
from biasloop.registry import Options


class CounterfactualOptions(Options):
    """`folder` is the campaign's folder in the workspace; its `seeds` and `counterfactual`
    folders are read. At most `max_per_parent` synthetic items descend from one parent."""

    folder: Path
    max_per_parent: int = 6


class Counterfactual:
    """The versions that a seed's author wrote.

    Labels follow by construction. Raises CampaignError when the campaign's data cannot be read.
    """

    def __init__(self, options: CounterfactualOptions) -> None:
        self._limit = options.max_per_parent
        self._written = read_versions(options.folder / "seeds")

    def expand(self, parents: Sequence[tuple[Item, tuple[str, ...]]], seed: int) -> Iterator[Made]:
        """Versions of the train items among `parents`; audit items are passed over."""
        taken = {item.text_hash for item, _ in parents}
        for item, labels in parents:
            if item.split is not Split.TRAIN:
                continue
            made = 0
            for draft in self._drafts(item, labels, seed):
                if made == self._limit:
                    break
                if (key := text_hash(draft.text)) in taken:
                    continue
                taken.add(key)
                made += 1
                child = synthetic_item((item,), draft.text, draft.operation)
                yield Made(child, draft.labels, LabelSource.CONSTRUCTED)

    def _drafts(self, item: Item, labels: tuple[str, ...], seed: int) -> Iterator[Draft]:
        yield from self._written.get(item.text_hash, ())
