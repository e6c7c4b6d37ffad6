"""What a model labelled at a stated risk, for the items that have no other label."""

import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from biasloop.domain.label import MACHINE
from biasloop.service.autolabel import is_of_older_model
from biasloop.service.service import Service
from biasloop.store.machine_labels import Bound, MachineLabelStore

UNDECIDED = -1
FILLED = ("labels", "asked", "label_source", "bound")
"""The columns of facts that it fills."""


class MachineFacts:
    """The labels of all files. `_verdicts` (k, rows) has one row for each file: 1 has the label, 0
    has it not, -1 undecided."""

    def __init__(self, service: Service) -> None:
        scheme, pool = service.campaign.scheme, service.pool
        self._names: list[str] = []
        self._bounds: list[dict[str, object]] = []
        verdicts: list[NDArray[np.int8]] = []
        for labels in MachineLabelStore(service.layout.machine_labels).all():
            name = scheme.current_name(labels.bound.label)
            if name not in scheme.labels:
                continue
            rows = pool.rows_of(labels.table["item_id"].to_pylist())
            of_pool = np.full(len(pool), UNDECIDED, np.int8)
            of_pool[rows[rows >= 0]] = labels.table["has"].to_numpy()[rows >= 0]
            verdicts.append(of_pool)
            self._names.append(name)
            self._bounds.append(_describe(labels.bound, is_of_older_model(service, labels.bound)))
        self._verdicts = np.array(verdicts, np.int8).reshape(-1, len(pool))

    def fill(self, facts: pa.Table, start: int) -> pa.Table:
        """The facts of the pool rows from `start` on, with the machine's labels where there are
        none: a label by anyone else decides about an item."""
        verdicts = self._verdicts[:, start : start + len(facts)]
        empty = facts["labels"].is_null().to_numpy(zero_copy_only=False)
        decided = np.flatnonzero((verdicts != UNDECIDED).any(axis=0) & empty)
        if not len(decided):
            return facts
        columns = {name: facts[name].to_pylist() for name in FILLED}
        for row in decided.tolist():
            asked = np.flatnonzero(verdicts[:, row] != UNDECIDED)
            bounds = {self._names[j]: self._bounds[j] for j in asked}
            columns["labels"][row] = [self._names[j] for j in asked if verdicts[j, row] == 1]
            columns["asked"][row] = [self._names[j] for j in asked]
            columns["label_source"][row] = MACHINE
            columns["bound"][row] = json.dumps(bounds, ensure_ascii=False)
        for name, values in columns.items():
            place, field = facts.column_names.index(name), facts.schema.field(name)
            facts = facts.set_column(place, field, pa.array(values, field.type))
        return facts


def _describe(bound: Bound, older_model: bool) -> dict[str, object]:
    about = asdict(bound)
    del about["label"]
    return about | {"older_model": older_model}
