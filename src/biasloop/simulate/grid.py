"""Runs all campaigns of a simulation, on all cores; a finished run is stored and not repeated.

A finished run is a file named by a hash of everything that it depends on, including the code.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from inspect import getsourcefile
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import biasloop
from biasloop.errors import ConfigError, DataError, JobError
from biasloop.plugins.registry import Kind, create, names, plugin
from biasloop.simulate.features import read_features, store_features
from biasloop.simulate.gold import Gold
from biasloop.simulate.run import RANDOM, Encoded, Setup, SimulatedRun, simulate
from biasloop.simulate.sources import module_file, reached_files
from biasloop.store.atomic import written_whole

Simulator = Callable[[Gold, Setup, str, int, Encoded | None], SimulatedRun]
"""Runs one campaign: takes (gold, setup, arm, seed, encoded)."""

BASELINE = RANDOM
LIBRARIES = ("numpy", "scikit-learn", "scipy", "small-text", "torch", "transformers")
PACKAGE = Path(biasloop.__file__).parent
ENTRY_MODULES = ("biasloop.simulate.run", "biasloop.simulate.features")
"""Modules that, with the plug-ins and all that these import, decide how a run ends."""


@dataclass(frozen=True, slots=True)
class Grid:
    """What to run: each of `strategies`, and random as the baseline, once per seed.

    `simulator` must be a function of a module; that of a benchmark may know other arms as well.
    """

    gold: Gold
    setup: Setup
    strategies: tuple[str, ...]
    seeds: int
    simulator: Simulator = simulate

    @property
    def arms(self) -> tuple[str, ...]:
        """The strategies, each once, random last."""
        others = [name for name in dict.fromkeys(self.strategies) if name != BASELINE]
        return (*others, BASELINE)

    def check(self) -> None:
        """Raises UnknownName, ConfigError or DataError when the grid cannot be run."""
        classifier: Any = create(Kind.CLASSIFIER, self.setup.classifier, self.setup.options)
        for name in self.arms:
            needs = create(Kind.STRATEGY, name).needs
            if missing := needs - classifier.offers:
                raise ConfigError(
                    f"strategy {name!r} needs {', '.join(sorted(missing))}, which classifier "
                    f"{self.setup.classifier!r} does not give with these options"
                )
        texts = len(set(self.gold.pool.hashes.tolist()))
        if self.setup.budget > texts:
            raise DataError(
                f"a budget of {self.setup.budget} labels is more than the {texts} different texts "
                "of the pool; ask for less, or give a larger pool"
            )


def run_baseline(
    grid: Grid, setup: Setup, folder: Path, progress: Callable[[int], None]
) -> list[SimulatedRun]:
    """The runs of another classifier with random labels on the data of the grid; see run_grid."""
    return run_grid(Grid(grid.gold, setup, (), grid.seeds), folder, progress)[BASELINE]


def run_grid(
    grid: Grid, folder: Path, progress: Callable[[int], None]
) -> dict[str, list[SimulatedRun]]:
    """The runs of every arm, one per seed; calls `progress` with the number of finished runs.

    Finished runs are stored in folder/runs. Raises what a simulation raises, and JobError when a
    process dies.
    """
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    features = store_features(grid.gold, grid.setup, folder / "features")
    paths = {
        (arm, seed): folder / "runs" / f"{run_id(grid, arm, seed)}.npz"
        for arm in grid.arms
        for seed in range(grid.seeds)
    }
    missing = [run for run, path in paths.items() if not path.exists()]
    done = len(paths) - len(missing)
    progress(done)
    with _workers(grid, features, len(missing)) as workers:
        for future in as_completed(
            workers.submit(_run_in_worker, grid.simulator, *run, paths[run]) for run in missing
        ):
            future.result()
            done += 1
            progress(done)
    return {arm: [_read_run(paths[arm, seed]) for seed in range(grid.seeds)] for arm in grid.arms}


def run_id(grid: Grid, arm: str, seed: int) -> str:
    """A hash of everything that a run depends on."""
    inputs = [grid.gold.id, asdict(grid.setup), arm, seed, _code_hash(grid.simulator)]
    return blake2b(json.dumps(inputs, sort_keys=True).encode(), digest_size=12).hexdigest()


@cache
def _code_hash(simulator: Simulator) -> str:
    """A hash of the code that a run depends on, ours and, by their versions, the libraries."""
    digest = blake2b(json.dumps([version(name) for name in LIBRARIES]).encode(), digest_size=12)
    kinds = (Kind.CLASSIFIER, Kind.STRATEGY)
    targets = [plugin(kind, name).target for kind in kinds for name in names(kind)]
    modules = [*ENTRY_MODULES, *(target.partition(":")[0] for target in targets)]
    files = [module_file(module, PACKAGE) for module in modules]
    start = [Path(getsourcefile(simulator) or ""), *(file for file in files if file)]
    for path in sorted(reached_files(start, PACKAGE)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _workers(grid: Grid, features: Path | None, tasks: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that hold the data and settings of the grid and end with this process."""
    context = get_context("forkserver")  # a fork of this process would copy locks of its threads
    context.set_forkserver_preload(["biasloop.simulate.run"])  # heavy, so only once
    pool = ProcessPoolExecutor(
        max_workers=max(1, min(tasks, os.cpu_count() or 1)),
        mp_context=context,
        initializer=_start_worker,
        initargs=(grid.gold, grid.setup, features),
    )
    try:
        yield pool
    except BrokenProcessPool:
        raise JobError(
            "a process of the simulation died, perhaps for lack of memory; "
            "run the same command again: finished runs are kept"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_worker_state: tuple[Gold, Setup, Encoded | None]
"""In a worker process: the data, the settings and the feature rows."""


def _start_worker(gold: Gold, setup: Setup, features: Path | None) -> None:
    global _worker_state  # noqa: PLW0603 - an initializer can pass values on in no other way
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(1)  # the processes share the cores already
    _worker_state = gold, setup, read_features(setup, features) if features else None


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(3)


def _run_in_worker(simulator: Simulator, arm: str, seed: int, path: Path) -> None:
    gold, setup, encoded = _worker_state
    _write_run(path, simulator(gold, setup, arm, seed, encoded))


def _write_run(path: Path, run: SimulatedRun) -> None:
    """Writes a run atomically."""
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, flags=np.packbits(run.flags), shape=run.flags.shape, asked=run.asked
        )


def _read_run(path: Path) -> SimulatedRun:
    with np.load(path) as file:
        shape = tuple(file["shape"])
        flags = np.unpackbits(file["flags"], count=int(np.prod(shape)))
        return SimulatedRun(flags.reshape(shape).astype(bool), file["asked"])
