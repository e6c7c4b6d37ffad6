"""Trains networks on labelled texts, repeats collapsed trainings and resumes killed ones."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.plugins.classifiers.deep.batches import Tokens
from biasloop.plugins.classifiers.deep.network import Network
from biasloop.plugins.classifiers.deep.resume import part_of
from biasloop.plugins.classifiers.deep.scoring import scores_and_states
from biasloop.plugins.classifiers.deep.targets import Targets, fill_in_constants
from biasloop.plugins.classifiers.deep.training import Plan, seed_from, train
from biasloop.ports import Checkpoint
from biasloop.store.atomic import read_if_intact, write_whole

ATTEMPTS = ((1.0, 1), (1 / 3, 3), (3.0, 3))
"""Factors of the learning rate and of the number of epochs for each attempt: a training that
collapsed took steps that were too large or too small."""


@dataclass(frozen=True)
class Learned:
    """A trained network, its copy for scoring, its targets, and notes on what went wrong."""

    network: Network
    scorer: Network
    targets: Targets
    notes: list[str]


@dataclass(frozen=True)
class Fitter:
    """Trains networks on rows of one data set. `make` returns an untrained network, initialised
    from torch's random state; finished folds and epochs are saved in the folder `work`, if given,
    so that a killed run can resume."""

    make: Callable[[], Network]
    tokens: Tokens
    pad: int
    labels: Labels
    weights: NDArray[np.float32]
    names: tuple[str, ...]
    multi: bool
    plan: Plan
    seed: int
    device: torch.device
    dtype: torch.dtype
    work: Path | None
    checkpoint: Checkpoint

    def out_of_fold(self, fold_of: NDArray[np.int64]) -> tuple[NDArray[np.float64], list[str]]:
        """Scores (n, k) of every row by a network that saw no row of its fold, and notes."""
        scores = np.zeros(self.labels.shape)
        notes = []
        for fold in range(fold_of.max() + 1):
            held_out = np.flatnonzero(fold_of == fold)
            if len(held_out) == len(fold_of):
                break  # only one root: no model can be tested on it, so the scores stay 0
            name = f"fold {fold + 1}"
            file = self.work / f"{name}.json" if self.work else None
            shape = (len(held_out), self.labels.shape[1])
            done = read_if_intact(file, partial(_read_fold, shape=shape)) if file else None
            fold_scores, fold_notes = done or self._score_fold(fold, held_out, name)
            if file and not done:
                file.parent.mkdir(parents=True, exist_ok=True)
                report = {"of": part_of(file), "scores": fold_scores.tolist(), "notes": fold_notes}
                write_whole(file, json.dumps(report))
            scores[held_out] = fold_scores
            notes += fold_notes
        return scores, notes

    def _score_fold(
        self, fold: int, held_out: NDArray[np.int64], name: str
    ) -> tuple[NDArray[np.float64], list[str]]:
        training_rows = np.setdiff1d(np.arange(len(self.labels)), held_out)
        learned = self.fit(training_rows, seed_from(self.seed, fold + 1), name)
        tokens = self._tokens_of(held_out)
        scores, _ = scores_and_states(learned.scorer, tokens, self.pad, self.checkpoint)
        return fill_in_constants(scores, learned.targets.constant), learned.notes

    def fit(self, rows: NDArray[np.int64], seed: int, name: str) -> Learned:
        """A network trained on these rows, again with other settings if it learns nothing."""
        tokens = self._tokens_of(rows)
        targets = Targets.from_labels(self.labels[rows], self.weights[rows], self.multi)
        failures = []
        for attempt, (rate, length) in enumerate(ATTEMPTS):
            torch.manual_seed(seed_from(seed, attempt))
            network = self.make().to(self.device)
            plan = self.plan.scaled(rate, length)
            train(
                network,
                tokens,
                self.pad,
                targets,
                plan,
                seed=seed_from(seed, attempt),
                dtype=self.dtype,
                state=self.work / f"{name} attempt {attempt}.safetensors" if self.work else None,
                checkpoint=self.checkpoint,
            )
            # Adapters are merged on the CPU, as after loading: elsewhere the last bits may differ.
            scorer = network.cpu().for_scoring(self.device, self.dtype)
            scores, _ = scores_and_states(scorer, tokens, self.pad, self.checkpoint)
            unlearned = targets.unlearned(scores.astype(np.float64))
            if not unlearned:
                break
            labels = ", ".join(self.names[j] for j in unlearned)
            failures.append(f"at a learning rate of {plan.lr:.1e} it learned nothing of {labels}")
        notes = []
        if failures:
            end = "gave up; change lr or epochs" if unlearned else f"learned at {plan.lr:.1e}"
            notes.append(f"{name}: the training collapsed: {'; '.join(failures)}; {end}")
        return Learned(network, scorer, targets, notes)

    def _tokens_of(self, rows: NDArray[np.int64]) -> Tokens:
        return [self.tokens[row] for row in rows]


def _read_fold(file: Path, shape: tuple[int, int]) -> tuple[NDArray[np.float64], list[str]]:
    """Scores and notes of a finished fold. Raises ValueError when they are not of this training."""
    report = json.loads(file.read_text("utf-8"))
    scores, notes = np.array(report["scores"], dtype=np.float64), report["notes"]
    if report["of"] != part_of(file) or scores.shape != shape or not np.isfinite(scores).all():
        raise ValueError(f"scores of {report['of']}, of the shape {scores.shape}")
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise ValueError("notes that are not a list of texts")
    return scores, notes
