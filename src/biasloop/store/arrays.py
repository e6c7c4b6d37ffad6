"""Arrays in files of their own."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.store.atomic import written_whole


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Writes a .npy file atomically."""
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
