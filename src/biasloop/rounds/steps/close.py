"""EVALUATED -> CLOSED: deletes what only the round needed."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from biasloop.domain.round import Done


def close(*, job_folders: Iterable[Path]) -> Done:
    """Deletes the folders of the round's child processes, whose results are committed."""
    for folder in job_folders:
        shutil.rmtree(folder, ignore_errors=True)
    return Done()
