"""Which weighting belongs to which feature rows, and to which saved arrays."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from biasloop.plugins.classifiers.mixed.mixed_rows import MixedRows, MixedWeighting
from biasloop.plugins.classifiers.terms.term_rows import TermRows
from biasloop.plugins.classifiers.terms.weighting import Scaling, TermWeighting, Weighting

OF_ROWS: Mapping[type, type[Weighting]] = {TermRows: TermWeighting, MixedRows: MixedWeighting}
OF_ARRAY: Mapping[str, type[Weighting]] = {"idf": TermWeighting, "term_idf": MixedWeighting}
"""By the array that only this weighting saves."""


def weighting_of(features: Any) -> type[Weighting]:
    """The class of weighting for this type of features; dense rows are scaled."""
    return OF_ROWS.get(type(features), Scaling)


def weighting_from(arrays: Mapping[str, NDArray[Any]]) -> Weighting:
    """The weighting that saved these arrays."""
    kinds = [kind for name, kind in OF_ARRAY.items() if name in arrays]
    return (kinds or [Scaling])[0](**arrays)
