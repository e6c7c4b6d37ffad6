"""Masks personal data in the tables of an export.

Every masked character becomes a block, so that texts keep their length: offsets of items and of
spans stay true. What is found in an ad is masked in its items as well, also where a sentence alone
would not show it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biasloop.domain.item import Item
from biasloop.reports.export.personal import LIKELY, Finding, Personal, cue_pattern, find_personal

BLOCK = "█"
SHORT = ("title", "source")


class Masker:
    """Knows what was found in ads; `counts` are the places masked so far, by table and kind."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {
            "items": Counter(),
            "votes": Counter(),
            "ads": Counter(),
        }
        self._ads: dict[str, list[Finding]] = {}
        self._likely = f"{LIKELY}|(?i:{cue_pattern()})"

    def read_ads(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Looks for personal data in the texts of all ads."""
        for batch in batches:
            suspects = batch.filter(pc.match_substring_regex(batch["text"], self._likely))
            for ad_id, text in zip(
                suspects["ad_id"].to_pylist(), suspects["text"].to_pylist(), strict=True
            ):
                if found := find_personal(text):
                    self._ads[ad_id] = found

    def mask_ads(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with what an ad says masked."""
        texts = [
            self._mask("ads", text, self._ads.get(ad_id, ()))
            for ad_id, text in zip(
                batch["ad_id"].to_pylist(), batch["text"].to_pylist(), strict=True
            )
        ]
        columns = {name: self.mask_column("ads", "", batch[name]) for name in SHORT}
        columns["text"] = pa.array(texts, pa.string())
        for name, column in columns.items():
            batch = batch.set_column(batch.schema.get_field_index(name), name, column)
        return batch

    def mask_column(self, table: str, name: str, column: Any) -> Any:
        """A column of text, whose name counts as what stands before each cell ("contact")."""
        if not pa.types.is_string(column.type):
            return column
        cells = column.to_pylist()
        suspects = pc.match_substring_regex(column, self._likely)
        if re.search(self._likely, _before(name)):
            suspects = pc.is_valid(column)
        for row in pc.indices_nonzero(pc.fill_null(suspects, False)).to_pylist():
            cells[row] = self.mask_cell(table, name, cells[row])
        return pa.array(cells, column.type)

    def mask_cell(self, table: str, name: str, text: str) -> str:
        """A cell of a column of this name."""
        whole = _before(name) + text
        return self._mask(table, whole, find_personal(whole))[len(whole) - len(text) :]

    def mask_items(self, items: pa.Table, rewrites: pa.Array) -> tuple[pa.Array, pa.Array]:
        """The texts and rewrites of these items."""
        texts, written = items["text"].to_pylist(), rewrites.to_pylist()
        ads, starts = items["ad_id"].to_pylist(), items["start"].to_pylist()
        alone = pc.match_substring_regex(items["text"], self._likely).to_pylist()
        for row, ad_id in enumerate(ads):
            if ad_id is None:
                found = find_personal(texts[row]) if alone[row] else []
            else:
                found = within(self._ads.get(ad_id, ()), starts[row], len(texts[row]))
            if written[row]:
                words = words_of(texts[row], found)
                written[row] = self.mask_string("items", written[row], words)
            if found:
                texts[row] = self._mask("items", texts[row], found)
        return pa.array(texts, pa.string()), pa.array(written, pa.string())

    def mask_mark(self, value: Any, item: Item | None) -> Any:
        """What an author wrote about an item: a string, or a structure of strings."""
        words: Mapping[str, Personal] = {}
        if item is not None:
            found = (
                within(self._ads.get(item.ad_id, ()), item.start, len(item.text))
                if item.ad_id
                else find_personal(item.text)
            )
            words = words_of(item.text, found)
        return self._mask_all(value, words)

    def mask_string(self, table: str, text: str, words: Mapping[str, Personal]) -> str:
        """A string, in which these words are masked, too."""
        found = [
            Finding(*match.span(), kind)
            for word, kind in words.items()
            for match in re.finditer(re.escape(word), text)
        ]
        return self._mask(table, text, [*found, *find_personal(text)])

    def _mask_all(self, value: Any, words: Mapping[str, Personal]) -> Any:
        if isinstance(value, str):
            return self.mask_string("votes", value, words)
        if isinstance(value, Mapping):
            return {name: self._mask_all(inner, words) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._mask_all(inner, words) for inner in value]
        return value

    def _mask(self, table: str, text: str, found: Sequence[Finding]) -> str:
        for finding in found:
            if BLOCK not in text[finding.start : finding.end]:
                self.counts[table][str(finding.kind)] += 1
            length = min(finding.end, len(text)) - finding.start
            text = text[: finding.start] + BLOCK * length + text[finding.end :]
        return text


def _before(name: str) -> str:
    """What the name of a column says before each of its cells."""
    return f"{name.replace('_', ' ')}: " if name else ""


def within(found: Sequence[Finding], start: int, length: int) -> list[Finding]:
    """The findings of an ad in one of its items, by the places of the item."""
    return [
        Finding(max(f.start - start, 0), min(f.end - start, length), f.kind)
        for f in found
        if f.start < start + length and f.end > start
    ]


def words_of(text: str, found: Sequence[Finding]) -> dict[str, Personal]:
    """The masked words themselves, the longest first."""
    words = {text[f.start : f.end]: f.kind for f in found}
    return dict(sorted(words.items(), key=lambda pair: -len(pair[0])))
