"""Masks personal data in the tables of an export.

Every masked character becomes a block, so that texts keep their length: offsets of items and of
spans stay true. What is found in an ad is masked in its items as well, also where a sentence alone
would not show it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biasloop.domain.item import Item
from biasloop.reports.export.masked_places import MaskedPlaces
from biasloop.reports.export.personal import Finding, Personal, find_personal
from biasloop.reports.export.suspects import find_in_column

BLOCK = "█"
SHORT_TEXTS = ("title", "source")
"""Columns of an ad that are masked as cells of their own."""
EXACT_BELOW = 2.0**53
"""Whole numbers below it are exact in floating point."""
_NAMES_NUMBERS = re.compile(r"phone|tel|fono|cell|mobil|fax|whatsapp|p.?iva|vat|tax", re.IGNORECASE)
"""In the names of columns whose numbers are telephone or tax numbers, not quantities."""


class Masker:
    """Knows what was found in ads; `counts` are the places masked so far, by table and kind."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {
            "items": Counter(),
            "votes": Counter(),
            "ads": Counter(),
        }
        self._ads: dict[str, list[Finding]] = {}
        self._places = MaskedPlaces({})

    def read_ads(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Looks for personal data in the texts of all ads."""
        for batch in batches:
            for row, findings in find_in_column(batch["text"]).items():
                self._ads[batch["ad_id"][row].as_py()] = findings
        self._places = MaskedPlaces(self._ads)

    def mask_ads(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with what an ad says masked."""
        rows = pc.indices_nonzero(pc.is_in(batch["ad_id"], self._places.ad_ids))
        ids, texts = (batch[name].take(rows).to_pylist() for name in ("ad_id", "text"))
        masked = {
            row: self._mask("ads", text, self._ads[ad_id])
            for row, ad_id, text in zip(rows.to_pylist(), ids, texts, strict=True)
        }
        columns = {name: self.mask_column("ads", "", batch[name]) for name in SHORT_TEXTS}
        columns["text"] = _replaced(batch["text"], masked)
        for name, column in columns.items():
            batch = batch.set_column(batch.schema.get_field_index(name), name, column)
        return batch

    def mask_column(self, table: str, name: str, column: Any) -> Any:
        """A column of the input. Its name counts as text before each cell, since it may be a cue
        ("contact"). A telephone or tax number in a column of numbers is left out if the name of the
        column says that it holds such numbers."""
        is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if is_number and _NAMES_NUMBERS.search(name):
            digits = _digits(column)
            unmasked = pc.equal(self.mask_column(table, name, digits), digits)
            return pc.if_else(pc.fill_null(unmasked, True), column, None)
        if not pa.types.is_string(column.type):
            return column
        prefix = _prefix(name)
        encoded = column.dictionary_encode()  # each text once
        texts = pc.binary_join_element_wise(prefix, encoded.dictionary, "")
        findings = find_in_column(texts)
        rows = pc.indices_nonzero(pc.is_in(encoded.indices, pa.array(findings, pa.int32())))
        masked = {}
        for row, cell in zip(rows.to_pylist(), column.take(rows).to_pylist(), strict=True):
            text = self._mask(table, prefix + cell, findings[encoded.indices[row].as_py()])
            masked[row] = text[len(prefix) :]
        return _replaced(column, masked)

    def mask_cell(self, table: str, name: str, text: str) -> str:
        """A cell of a column of this name."""
        (cell,) = self.mask_column(table, name, pa.array([text])).to_pylist()
        return str(cell)

    def mask_items(self, items: pa.Table, rewrites: Any) -> tuple[pa.Array, pa.Array]:
        """The masked texts and rewrites of these n items, each (n,). The words that are masked in a
        text are masked in its rewrite, too."""
        texts, rewrites = _whole(items["text"]), _whole(rewrites)
        ads, starts = _whole(items["ad_id"]), _whole(items["start"])
        without_ad = find_in_column(pc.if_else(pc.is_null(ads), texts, None))
        hit = self._places.touch(ads, starts, pc.utf8_length(texts))
        hit[list(without_ad)] = True
        rows = np.flatnonzero(hit | pc.is_valid(rewrites).to_numpy(zero_copy_only=False))
        columns = [
            column.take(pa.array(rows)).to_pylist() for column in (texts, ads, starts, rewrites)
        ]
        masked_texts, masked_rewrites = {}, {}
        for row, text, ad_id, start, rewrite in zip(rows.tolist(), *columns, strict=True):
            findings = (
                without_ad.get(row, []) if ad_id is None else self._of_item(ad_id, start, text)
            )
            if rewrite:
                masked_rewrites[row] = self.mask_string("items", rewrite, words_of(text, findings))
            if findings:
                masked_texts[row] = self._mask("items", text, findings)
        return _replaced(texts, masked_texts), _replaced(rewrites, masked_rewrites)

    def _of_item(self, ad_id: str, start: int, text: str) -> list[Finding]:
        """The findings of an ad that reach into this item."""
        return within(self._ads.get(ad_id, ()), start, len(text))

    def mask_mark(self, value: Any, item: Item | None) -> Any:
        """What an author wrote about an item: a string, or a structure of strings."""
        words: Mapping[str, Personal] = {}
        if item is not None:
            findings = (
                self._of_item(item.ad_id, item.start, item.text)
                if item.ad_id
                else find_personal(item.text)
            )
            words = words_of(item.text, findings)
        return self._mask_all(value, words)

    def mask_string(self, table: str, text: str, words: Mapping[str, Personal]) -> str:
        """A string, in which these words are masked, too."""
        findings = [
            Finding(*match.span(), kind)
            for word, kind in words.items()
            for match in re.finditer(re.escape(word), text)
        ]
        return self._mask(table, text, [*findings, *find_personal(text)])

    def _mask_all(self, value: Any, words: Mapping[str, Personal]) -> Any:
        if isinstance(value, str):
            return self.mask_string("votes", value, words)
        if isinstance(value, Mapping):
            return {name: self._mask_all(inner, words) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._mask_all(inner, words) for inner in value]
        return value

    def _mask(self, table: str, text: str, findings: Sequence[Finding]) -> str:
        for finding in findings:
            if BLOCK not in text[finding.start : finding.end]:
                self.counts[table][str(finding.kind)] += 1
            length = min(finding.end, len(text)) - finding.start
            text = text[: finding.start] + BLOCK * length + text[finding.end :]
        return text


def _digits(numbers: Any) -> Any:
    """Whole numbers as text, as people write a telephone or tax number; others are empty."""
    if pa.types.is_floating(numbers.type):
        whole = pc.and_(pc.less(pc.abs(numbers), EXACT_BELOW), pc.equal(pc.floor(numbers), numbers))
        numbers = pc.if_else(pc.fill_null(whole, False), numbers, None).cast(pa.int64())
    return numbers.cast(pa.string())


def _prefix(name: str) -> str:
    """The name of a column as text before each of its cells."""
    return f"{name.replace('_', ' ')}: " if name else ""


def within(findings: Sequence[Finding], start: int, length: int) -> list[Finding]:
    """The findings of an ad in one of its items, by the places of the item."""
    return [
        Finding(max(f.start - start, 0), min(f.end - start, length), f.kind)
        for f in findings
        if f.start < start + length and f.end > start
    ]


def words_of(text: str, findings: Sequence[Finding]) -> dict[str, Personal]:
    """The masked words themselves, the longest first."""
    words = {text[f.start : f.end]: f.kind for f in findings}
    return dict(sorted(words.items(), key=lambda pair: -len(pair[0])))


def _whole(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _replaced(column: pa.Array, cells: Mapping[int, str]) -> pa.Array:
    """The column with these cells, by row, in ascending order, in the place of its own."""
    if not cells:
        return column
    rows = np.zeros(len(column), dtype=bool)
    rows[list(cells)] = True
    return pc.replace_with_mask(column, pa.array(rows), pa.array(cells.values(), column.type))
