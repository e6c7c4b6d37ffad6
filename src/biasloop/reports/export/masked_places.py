"""Where ads are masked, as arrays, so that whole columns of items are compared at once."""

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
            for ad, of_ad in enumerate(findings.values())
            for finding in of_ad
        ]
        self._starts, self._ends = np.array(places, dtype=np.int64).reshape(-1, 2).T

    def touch(self, ad_ids: pa.Array, starts: pa.Array, lengths: pa.Array) -> NDArray[np.bool_]:
        """Whether a masked place reaches into each of n items, (n,). `ad_ids` (n,) are their ads
        (null: none), `starts` (n,) their first characters there, `lengths` (n,) in characters."""
        ads = pc.fill_null(pc.index_in(ad_ids, self.ad_ids), -1).to_numpy().astype(np.int64)
        begin = ads * LONGEST + pc.fill_null(starts, 0).to_numpy()
        end = begin + lengths.to_numpy()
        # Some place reaches into an item if more have begun before its end than ended before it.
        begun = np.searchsorted(self._starts, end, side="left")
        ended = np.searchsorted(self._ends, begin, side="right")
        return np.asarray((ads >= 0) & (begun > ended))
