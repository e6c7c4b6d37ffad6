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
"""Key of the JSON object that stands for an array; its value is the number of the array."""
OLD_SUFFIX = ".skops"
"""Suffix of files written before format 5."""


def write_state(file: Path, state: dict[str, Any]) -> None:
    """Writes `state`, with arrays anywhere in it, whole or not at all.

    `numpy.load` can read the file, and so can any program that unpacks a zip.
    """
    arrays: list[NDArray[Any]] = []

    def store_array(value: object) -> dict[str, int]:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a model file cannot hold a {type(value).__name__}")
        arrays.append(value)
        return {ARRAY: len(arrays) - 1}

    text = json.dumps(state | {"format": FORMAT}, default=store_array)
    with written_whole(file) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open(STATE, "w", force_zip64=True) as member:
            member.write(text.encode())
        for i, array in enumerate(arrays):
            with archive.open(f"{i}.npy", "w", force_zip64=True) as member:
                np.save(member, array, allow_pickle=False)


def read_state(file: Path, old_format: int) -> dict[str, Any]:
    """Reads a state, or its predecessor of format `old_format`, which is then rewritten in the
    current format. Raises ClassifierError for other formats and for types that a model never has.
    A damaged file can raise almost anything: see `readable`."""
    old = file.with_suffix(OLD_SUFFIX)
    if old.exists() and not file.exists():
        with readable(old):
            old_state = _read_skops(old)
            _require_format(old, old_state, old_format)
        with suppress(OSError):  # the next reader will try again
            write_state(file, old_state)
        return old_state
    _require_no_bomb(file)
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as saved:

        def restore_array(value: dict[str, Any]) -> Any:
            return saved[str(value[ARRAY])] if value.keys() == {ARRAY} else value

        state: dict[str, Any] = json.loads(saved[STATE], object_hook=restore_array)
    _require_format(file, state, FORMAT)
    return state


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turns every other exception raised inside into a ClassifierError that names the file."""
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

    _require_no_bomb(file)
    if foreign := set(skops.io.get_untrusted_types(file=file)):
        raise ClassifierError(
            f"{file} holds types that no model of biasloop has: {', '.join(sorted(foreign))}; "
            "do not use this file, train again"
        )
    state: dict[str, Any] = skops.io.load(file, trusted=[])
    return state


def _require_no_bomb(file: Path) -> None:
    """Nothing in a model file is compressed, so it never unpacks to more than its own size."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    if (
        any(member.compress_type != zipfile.ZIP_STORED for member in members)
        or sum(member.file_size for member in members) > file.stat().st_size
    ):
        raise ValueError("it unpacks to more than its own size")


def _require_format(file: Path, state: dict[str, Any], expected: int) -> None:
    if state["format"] != expected:
        raise ClassifierError(
            f"{file} has format {state['format']}, this version reads {expected}; train again"
        )
