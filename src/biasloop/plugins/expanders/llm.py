"""Texts that a language model writes where the corpus is thin. This only plans them.

Three kinds: a new text for a cell, with examples; a parent in other words; and a parent with the
smallest edit that adds or drops a label (contrast sets, Gardner et al. 2020). Examples are always
seeds, which were written for the campaign; the text of a real ad is the only one in its prompt.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from biasloop.domain.item import Item
from biasloop.domain.policy import excerpt
from biasloop.domain.writing.deficit import Axes, plan_cells
from biasloop.domain.writing.prompt import Prompt, object_schema
from biasloop.domain.writing.synthesis import (
    CampaignBrief,
    Cell,
    TextRequest,
    WritingKind,
    WritingMaterial,
    cell_of,
)
from biasloop.llm.prompting import read_prompts
from biasloop.plugins.expanders.material import Material
from biasloop.plugins.expanders.seeds import read_seeds
from biasloop.plugins.registry import Options

TEMPERATURE = 0.8
SCHEMA = object_schema({"text": {"type": "string"}})
IN_TURN = (WritingKind.WRITE, WritingKind.ADD, WritingKind.PARAPHRASE, WritingKind.DROP)


class LlmOptions(Options):
    """`folder` is the campaign's folder in the workspace. A round requests `texts` texts; prompts
    for new texts show up to `examples` examples."""

    folder: Path
    texts: int = Field(40, ge=1, le=10_000)
    examples: int = Field(3, ge=1, le=10)


class Llm:
    """See ports.PromptExpander. Raises CampaignError when prompts.toml cannot be read."""

    def __init__(self, options: LlmOptions) -> None:
        self._options = options
        self._prompts = read_prompts(options.folder)
        self._seeds = read_seeds(options.folder / "seeds", None)

    def plan(self, corpus: WritingMaterial, guide: CampaignBrief, seed: int) -> list[TextRequest]:
        """One request per text, the most needed first. Each label takes the kinds in turn. Where no
        parent fits, a new text is requested; without examples, none."""
        rng = np.random.default_rng([seed, corpus.turn])
        material = Material(corpus.parents, guide.scheme, rng)
        kinds: dict[str, Iterator[WritingKind]] = defaultdict(lambda: cycle(IN_TURN))
        planned = (
            self._request(cell, next(kinds[cell.label]), material, guide, corpus.turn)
            for cell in self._needed_cells(corpus, rng)
        )
        return [request for request in planned if request is not None]

    def _needed_cells(self, corpus: WritingMaterial, rng: np.random.Generator) -> list[Cell]:
        cells = self._prompts.cells
        forms = {label: tuple(names) for label, names in cells.forms.items()}
        axes = Axes(tuple(cells.sectors), tuple(cells.registers), forms)
        existing = [
            self._cell(item, label)
            for item, labels in (*corpus.parents, *corpus.written)
            for label in labels
        ]
        return plan_cells(existing, corpus.errors, axes, self._options.texts, rng)

    def _cell(self, item: Item, label: str) -> Cell:
        """The cell of an item for one of its labels."""
        written, seed = cell_of(item.operation), self._seeds.get(item.text_hash)
        source = written or seed
        register, form = (source.register, source.form) if source else ("", "")
        return Cell(label, item.group, register, form)

    def _request(
        self, cell: Cell, kind: WritingKind, material: Material, guide: CampaignBrief, turn: int
    ) -> TextRequest | None:
        rewritten = None if kind is WritingKind.WRITE else material.parent(kind, cell.label)
        if rewritten:
            parent, labels = rewritten
            parents: tuple[Item, ...] = (parent,)
            cell, template = self._cell(parent, cell.label), "rewrite"
            values: dict[str, Any] = {"kind": str(kind), "text": parent.text}
        else:
            kind, labels, template = WritingKind.WRITE, (cell.label,), "write"
            examples = material.examples(cell.label, self._options.examples)
            if not examples:
                return None
            parents = tuple(item for item, _ in examples)
            cells = self._prompts.cells
            values = {
                "sector": cells.sectors.get(cell.sector),
                "register": cells.registers.get(cell.register),
                "form": cells.forms.get(cell.label, {}).get(cell.form),
                "examples": [(item.text, labels) for item, labels in examples],
            }
        system, user = self._prompts.render(
            template,
            definitions=guide.definitions,
            excerpt=excerpt(guide.policy.text, {cell.label, *labels}),
            label=cell.label,
            labels=labels,
            **values,
        )
        roots = tuple(sorted({root for item in parents for root in item.roots}))
        prompt = Prompt(system, user, SCHEMA, TEMPERATURE, turn, roots)
        return TextRequest(kind, cell, labels, parents, prompt, self._prompts.version)
