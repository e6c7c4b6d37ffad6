"""Where ads are masked, as arrays: which items show a masked place is asked for whole columns."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from biasloop.reports.export.personal import Finding

LONGEST = 2**32
"""More characters than a text has: a place in ad n is n * LONGEST + character."""


class MaskedPlaces:
    """The findings in ads by their ids; those of one ad are in order and do not overlap."""

    def __init__(self, findings: Mapping[str, Sequence[Finding]]) -> None:
        self.ad_ids = pa.array(findings, pa.string())
        places = [
            (ad * LONGEST + finding.start, ad * LONGEST + finding.end)
            for ad, found in enumerate(findings.values())
            for finding in found
        ]
        self._starts, self._ends = np.array(places, dtype=np.int64).reshape(-1, 2).T

    def touch(self, ad_ids: pa.Array, starts: pa.Array, lengths: pa.Array) -> NDArray[np.bool_]:
        """Whether a masked place reaches into each item, (n,), by the ad of the item (null: none),
        its first character there, and its length."""
        ads = pc.fill_null(pc.index_in(ad_ids, self.ad_ids), -1).to_numpy().astype(np.int64)
        begin = ads * LONGEST + pc.fill_null(starts, 0).to_numpy()
        end = begin + lengths.to_numpy()
        begun = np.searchsorted(self._starts, end, side="left")
        over = np.searchsorted(self._ends, begin, side="right")
        return np.asarray((ads >= 0) & (begun > over))
