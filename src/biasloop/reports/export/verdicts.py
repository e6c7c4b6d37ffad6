"""The model's verdicts on items, and on their ads: a text is flagged if one of its items is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from biasloop.domain.verdict import Verdicts
from biasloop.plugins.exporters.tables import schema_of
from biasloop.reports.export.columns import Column, Dictionary, kinds
from biasloop.service.models import in_service
from biasloop.service.service import Service


class ModelVerdicts:
    """The verdicts of the model in service. Raises ClassifierError when there is none."""

    def __init__(self, service: Service) -> None:
        version, self._model = in_service(service)
        self._id = version.id
        self._labels = service.campaign.scheme.labels
        thresholds = self._model.classifier.thresholds
        self._thresholds = service.campaign.scheme.align(thresholds, version.labels, np.nan)
        self._items = schema_of(kinds(self.columns))
        self._by_ad: list[pa.Table] = []

    @property
    def columns(self) -> Dictionary:
        """The columns that verdicts add to items and to ads."""
        p = "probability of {}; empty: the model does not know this label"
        at = "probability from which on the model flags {}"
        return {
            **{f"p_{label}": Column(float, p.format(label)) for label in self._labels},
            **{f"threshold_{label}": Column(float, at.format(label)) for label in self._labels},
            "flagged": Column(list, "labels that the model flags"),
            "confidence": Column(
                float, "smallest probability, over labels, of what the model says: max(p, 1 - p)"
            ),
            "model": Column(str, "id of the model"),
        }

    def of_items(self, texts: pa.Array, ad_ids: pa.Array) -> pa.RecordBatch:
        """The columns for these items; what they say of their ads (null: none) is remembered."""
        verdicts = self._model.predict(texts.to_pylist())
        batch = self._batch(verdicts.proba, verdicts.flags)
        self._remember(verdicts, ad_ids)
        return batch

    def of_ads(self, ad_ids: pa.Array) -> pa.RecordBatch:
        """The columns for these ads, from the verdicts on all their items so far: for each label
        the highest probability. Empty for an ad without items."""
        known = self._highest()
        rows = pc.index_in(ad_ids, known["ad_id"])
        parts = known.take(rows)
        proba = np.stack([parts[f"p{j}"].to_numpy() for j in range(len(self._labels))], axis=1)
        flags = np.stack(
            [pc.fill_null(parts[f"f{j}"], False).to_numpy() for j in range(len(self._labels))],
            axis=1,
        )
        return self._batch(proba.astype(np.float64), flags)

    def _remember(self, verdicts: Verdicts, ad_ids: pa.Array) -> None:
        columns = {"ad_id": ad_ids}
        for j in range(len(self._labels)):
            columns[f"p{j}"] = pa.array(verdicts.proba[:, j].astype(np.float64), from_pandas=True)
            columns[f"f{j}"] = pa.array(np.asarray(verdicts.flags[:, j], dtype=bool))
        table = pa.table(columns)
        self._by_ad.append(_highest(table.filter(pc.is_valid(table["ad_id"]))))

    def _highest(self) -> pa.Table:
        """One row for each ad: its highest probability p0, p1, … and whether flagged f0, f1, …"""
        if len(self._by_ad) > 1:
            self._by_ad = [_highest(pa.concat_tables(self._by_ad))]
        return self._by_ad[0]

    def _batch(self, proba: NDArray[Any], flags: NDArray[Any]) -> pa.RecordBatch:
        names, n = np.array(self._labels, dtype=object), len(proba)
        sure = np.where(np.isnan(proba), np.inf, np.maximum(proba, 1 - proba)).min(axis=1)
        unknown = np.isnan(proba).all(axis=1)
        thresholds = np.broadcast_to(self._thresholds, (n, len(names))).astype(np.float64)
        flagged = [None if no else list(names[row]) for row, no in zip(flags, unknown, strict=True)]
        values: Sequence[object] = [
            *_numbers(proba),
            *_numbers(thresholds),
            pa.array(flagged, pa.list_(pa.string())),
            pa.array(np.where(unknown, np.nan, sure), from_pandas=True),
            pa.array([None if no else self._id for no in unknown], pa.string()),
        ]
        return pa.RecordBatch.from_arrays(values, schema=self._items)


def _numbers(matrix: NDArray[Any]) -> list[pa.Array]:
    """A column for each of the matrix, NaN as empty."""
    return [pa.array(column, from_pandas=True) for column in matrix.astype(np.float64).T.copy()]


def _highest(table: pa.Table) -> pa.Table:
    values = [name for name in table.column_names if name != "ad_id"]
    grouped = table.group_by("ad_id", use_threads=False).aggregate([(n, "max") for n in values])
    return grouped.rename_columns({f"{name}_max": name for name in values})
