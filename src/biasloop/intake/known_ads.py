"""Compares an ad that is imported with the one that has its id already."""

from biasloop.domain.item import Ad
from biasloop.intake.markup import without_markup
from biasloop.intake.record import BadRow


def check_same_ad(ad: Ad, before: Ad | None) -> None:
    """Raises BadRow if the ad with the same id in `before` was taken down or has another text."""
    if before is not None and not before.text:
        raise BadRow(f"ad {ad.id!r} was taken down and cannot be imported again")
    if before is not None and not may_be(ad, before):
        raise BadRow(f"ad {ad.id!r} exists with a different text; give this one another id")


def may_be(ad: Ad, before: Ad) -> bool:
    """Whether both are the same ad, which was taken down or from which no HTML was taken before."""
    return before.text in ("", ad.text) or without_markup(before.text).text == ad.text


def has_other_columns(ad: Ad, before: Ad) -> bool:
    """Whether a column of the ad has another value than before, or is new."""
    absent = object()
    return any(before.columns.get(name, absent) != cell for name, cell in ad.columns.items())
