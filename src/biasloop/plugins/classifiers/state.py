"""Model files: numbers, strings and arrays through skops, never pickle."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import skops.io

from biasloop.errors import ClassifierError
from biasloop.store.atomic import written_whole

TRUSTED: frozenset[str] = frozenset()
"""Types beyond those that skops itself holds safe that a model file may contain: none."""


def write_state(file: Path, state: dict[str, Any]) -> None:
    """Writes it whole or not at all."""
    with written_whole(file) as temporary:
        skops.io.dump(state, temporary)


def read_state(file: Path, format_: int) -> dict[str, Any]:
    """Reads it back. Raises ClassifierError for foreign types and other formats; a damaged file
    fails in too many ways to name: see `readable`."""
    foreign = set(skops.io.get_untrusted_types(file=file)) - TRUSTED
    if foreign:
        raise ClassifierError(
            f"{file} holds types that a model of ours never has: {', '.join(sorted(foreign))}; "
            "do not use this file, train again"
        )
    state: dict[str, Any] = skops.io.load(file, trusted=sorted(TRUSTED))
    if state["format"] != format_:
        raise ClassifierError(
            f"{file} has format {state['format']}, this version reads {format_}; train again"
        )
    return state


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Whatever goes wrong inside, other than a ClassifierError, becomes one that names the file."""
    try:
        yield
    except ClassifierError:
        raise
    except Exception as error:
        raise ClassifierError(
            f"{file} cannot be read ({type(error).__name__}: {error}); "
            "roll back to another model or train again"
        ) from error
