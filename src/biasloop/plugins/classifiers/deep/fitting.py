"""From labelled texts to trained networks: out of fold, watched for collapse, resumed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.plugins.classifiers.deep.batches import Tokens
from biasloop.plugins.classifiers.deep.network import Network
from biasloop.plugins.classifiers.deep.scoring import scores_and_states
from biasloop.plugins.classifiers.deep.targets import Targets, settle
from biasloop.plugins.classifiers.deep.training import Plan, number, train
from biasloop.ports import Checkpoint
from biasloop.store.atomic import write_whole

CHANGES = ((1.0, 1), (1 / 3, 3), (3.0, 3))
"""Learning rate and length of each attempt, as multiples of what was asked for: one that
collapsed went too far or not far enough."""


@dataclass(frozen=True)
class Learned:
    """A trained network, its copy for scoring, what it was to learn, and what went wrong."""

    network: Network
    scorer: Network
    targets: Targets
    notes: list[str]


@dataclass(frozen=True)
class Fitter:
    """Trains networks on rows of one data set. `work` is where it keeps what a killed run has
    done, if anywhere; `make` gives an untrained network, seeded by torch's random state."""

    make: Callable[[], Network]
    tokens: Tokens
    pad: int
    labels: Labels
    weights: NDArray[np.float32]
    names: tuple[str, ...]
    multi: bool
    plan: Plan
    seed: int
    on: torch.device
    dtype: torch.dtype
    work: Path | None
    checkpoint: Checkpoint

    def out_of_fold(self, fold_of: NDArray[np.int64]) -> tuple[NDArray[np.float64], list[str]]:
        """Scores (n, k) of every row by a network that saw no row of its fold, and notes."""
        scores = np.zeros(self.labels.shape)
        notes = []
        for fold in range(fold_of.max() + 1):
            outside = np.flatnonzero(fold_of == fold)
            if len(outside) == len(fold_of):
                break  # one root: no model can be tried on it, scores stay undecided
            name = f"fold {fold + 1}"
            file = self.work / f"{name}.json" if self.work else None
            if file is None or not file.exists():
                found = self._fold(fold, outside, name)
                if file:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    report = {"scores": found[0].tolist(), "notes": found[1]}
                    write_whole(file, json.dumps(report))
            else:
                kept = json.loads(file.read_text("utf-8"))
                found = np.array(kept["scores"]), kept["notes"]
            scores[outside] = found[0]
            notes += found[1]
        return scores, notes

    def _fold(
        self, fold: int, outside: NDArray[np.int64], name: str
    ) -> tuple[NDArray[np.float64], list[str]]:
        inside = np.setdiff1d(np.arange(len(self.labels)), outside)
        learned = self.fit(inside, number(self.seed, fold + 1), name)
        said, _ = scores_and_states(learned.scorer, self._of(outside), self.pad, self.checkpoint)
        return settle(said, learned.targets.constant), learned.notes

    def fit(self, rows: NDArray[np.int64], seed: int, name: str) -> Learned:
        """A network trained on these rows, again with other settings if it does not learn."""
        tokens = self._of(rows)
        targets = Targets.of(self.labels[rows], self.weights[rows], self.multi)
        tried = []
        for attempt, change in enumerate(CHANGES):
            torch.manual_seed(number(seed, attempt))
            network = self.make().to(self.on)
            plan = self.plan.changed(*change)
            train(
                network,
                tokens,
                self.pad,
                targets,
                plan,
                seed=number(seed, attempt),
                dtype=self.dtype,
                state=self.work / f"{name} attempt {attempt}.safetensors" if self.work else None,
                checkpoint=self.checkpoint,
            )
            # Merged where a saved model will be: elsewhere the last bits may differ.
            scorer = network.cpu().for_scoring(self.on, self.dtype)
            said, _ = scores_and_states(scorer, tokens, self.pad, self.checkpoint)
            stuck = targets.not_learned(said.astype(np.float64))
            if not stuck:
                break
            labels = ", ".join(self.names[j] for j in stuck)
            tried.append(f"at a learning rate of {plan.lr:.1e} it learned nothing of {labels}")
        notes = []
        if tried:
            end = "gave up; change lr or epochs" if stuck else f"learned at {plan.lr:.1e}"
            notes.append(f"{name}: the training collapsed: {'; '.join(tried)}; {end}")
        return Learned(network, scorer, targets, notes)

    def _of(self, rows: NDArray[np.int64]) -> Tokens:
        return [self.tokens[row] for row in rows]
