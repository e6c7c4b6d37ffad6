"""What share of ads has a label, from an audit of single sentences.

An ad has a label if one of its sentences has it. An audit that asks about a few sentences of an ad
rarely sees whether that is so, hence the share of ads has no unbiased estimate. It has bounds,
though, each of which is a sum over sentences and is estimated as such (see `prevalence`):

- at least: the mean of the answers to the sentences that the model flags; to all of them in an ad
  without flags. No ad has the label less than its sentences do on average.
- at most: the number of its sentences with the label; but 1 in ads where the model expects that
  number to be 1 or more.

Both hold whatever the model says, since it only chooses which sentences are looked at. A good model
brings them together, and in ads of one sentence they are the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.measure.metric import Flags
from biasloop.domain.measure.resample import Array


@dataclass(frozen=True, slots=True)
class AdBounds:
    """For each of N sentences (N,): what it adds to the bounds if it has the label (`lower`,
    `upper`), what it adds to the upper one in any case (`certain`), and its part of the number of
    ads (`size`). A bound of some ads is the sum over their sentences divided by that of `size`."""

    lower: Array
    upper: Array
    certain: Array
    size: Array


def bound_ads(ads: NDArray[np.int64], guess: Array, flags: Flags) -> AdBounds:
    """The bounds of N sentences, all arguments (N,): the number of the ad of each, the model's
    probability of the label, and whether it flags it (without a model: 0 and False)."""
    sentences, flagged = np.bincount(ads)[ads], np.bincount(ads, flags)[ads]
    size = 1 / sentences
    lower = np.where(flagged > 0, flags / np.maximum(flagged, 1), size)
    certain = (np.bincount(ads, guess)[ads] >= 1) & (sentences > 1)
    return AdBounds(lower, (~certain).astype(np.float64), certain * size, size)
