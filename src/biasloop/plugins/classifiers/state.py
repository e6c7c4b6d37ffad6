"""Model files: numbers and strings as JSON with the arrays next to it in one zip, never pickle."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.errors import ClassifierError
from biasloop.store.atomic import written_whole

FORMAT = 5
STATE = "state.json"
ARRAY = "array"
"""Key of the object that stands for an array in the JSON, with the array's number."""
OLD_SUFFIX = ".skops"
"""Of files written before format 5."""


def write_state(file: Path, state: dict[str, Any]) -> None:
    """Writes it whole or not at all; arrays may stand anywhere in `state`.

    `numpy.load` reads the file, and so does any program that unpacks a zip.
    """
    arrays: list[NDArray[Any]] = []

    def number(value: object) -> dict[str, int]:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a model file cannot hold a {type(value).__name__}")
        arrays.append(value)
        return {ARRAY: len(arrays) - 1}

    text = json.dumps(state | {"format": FORMAT}, default=number)
    with written_whole(file) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open(STATE, "w", force_zip64=True) as member:
            member.write(text.encode())
        for i, array in enumerate(arrays):
            with archive.open(f"{i}.npy", "w", force_zip64=True) as member:
                np.save(member, array, allow_pickle=False)


def read_state(file: Path, old_format: int) -> dict[str, Any]:
    """Reads it back, or its predecessor of format `old_format`, which is then written again as
    this one. Raises ClassifierError for foreign types and other formats; a damaged file fails in
    too many ways to name: see `readable`."""
    old = file.with_suffix(OLD_SUFFIX)
    if old.exists() and not file.exists():
        old_state = _read_skops(old)
        _require_format(old, old_state, old_format)
        with suppress(OSError):  # then the next one to read it does so
            write_state(file, old_state)
        return old_state
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as saved:

        def put_back(value: dict[str, Any]) -> Any:
            return saved[str(value[ARRAY])] if value.keys() == {ARRAY} else value

        state: dict[str, Any] = json.loads(saved[STATE], object_hook=put_back)
    _require_format(file, state, FORMAT)
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


def _read_skops(file: Path) -> dict[str, Any]:
    import skops.io

    if foreign := set(skops.io.get_untrusted_types(file=file)):
        raise ClassifierError(
            f"{file} holds types that a model of ours never has: {', '.join(sorted(foreign))}; "
            "do not use this file, train again"
        )
    state: dict[str, Any] = skops.io.load(file, trusted=[])
    return state


def _require_format(file: Path, state: dict[str, Any], expected: int) -> None:
    if state["format"] != expected:
        raise ClassifierError(
            f"{file} has format {state['format']}, this version reads {expected}; train again"
        )
