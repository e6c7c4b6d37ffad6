"""What every part of the evaluation works with."""

from dataclasses import dataclass
from pathlib import Path

from biasloop.domain.label import Scheme
from biasloop.process import Heartbeat


@dataclass(frozen=True, slots=True)
class Bench:
    """`folder` is what the models' folders are relative to, `models` the folder of all of them;
    child processes work below `work_folder`."""

    scheme: Scheme
    seed: int
    folder: Path
    models: Path
    work_folder: Path
    heartbeat: Heartbeat
