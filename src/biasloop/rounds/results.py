"""Results of jobs, stored as JSON next to the files that they wrote.

A result counts only if it and all of these files can be read. Otherwise it is as if it were not
there: the work is done again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from biasloop.store.atomic import read_if_intact

Result = dict[str, Any]
"""What a job returns, as JSON has it."""

RESULT_FILE = "result.json"
"""Name of the file of the result in the folder of a job."""

Outputs = Callable[[Path, Mapping[str, Any]], Iterable[Path]]
"""Takes a job's folder and a result; returns the files and folders that belong to the result."""


def read_result(path: Path, outputs: Outputs) -> Result | None:
    """The result stored in a job's folder at `path`; None when it, or one of its outputs, is
    missing or damaged."""

    def read(path: Path) -> Result:
        result: Result = json.loads(path.read_text("utf-8"))
        for output in outputs(path.parent, result):
            _require_readable(output)
        return result

    return read_if_intact(path, read)


def _require_readable(output: Path) -> None:
    """Raises almost any exception when the file is damaged or the folder is empty."""
    import numpy as np

    match output.suffix:
        case ".npy":
            np.load(output, mmap_mode="r")  # which checks that the file is as long as it says
        case ".parquet":
            import pandas as pd

            pd.read_parquet(output)
        case ".jsonl":
            with output.open(encoding="utf-8") as lines:  # which end with a line feed only
                for line in lines:
                    json.loads(line)
        case _:
            next(output.iterdir())
