"""A trained network with everything that turns texts into probabilities, and its folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import Proba
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.deep import hardware
from biasloop.plugins.classifiers.deep.batches import Tokens, padding_token, tokenise
from biasloop.plugins.classifiers.deep.network import MODEL, Network, load_network
from biasloop.plugins.classifiers.deep.pretrained import Pretrained, file_hash, find_pretrained
from biasloop.plugins.classifiers.deep.scoring import scores_and_states, scores_with_dropout
from biasloop.plugins.classifiers.deep.targets import fill_in_constants
from biasloop.plugins.classifiers.deep.training import own_random_state
from biasloop.plugins.classifiers.head.calibration import Calibration
from biasloop.plugins.classifiers.head.checks import require_sound_head
from biasloop.plugins.classifiers.mixed.linear_part import LinearPart
from biasloop.plugins.classifiers.state import readable
from biasloop.ports import Checkpoint, no_checkpoint
from biasloop.store.atomic import write_whole

FILE = "model.json"
FORMAT = 2
ALONE_FORMAT = 1
"""Format of models without a linear part; they can still be read."""
ARRAYS = ("slope", "offset", "thresholds", "constant")
"""The entries of the file that hold a number per label."""
PROBE = ("", "Cerchiamo una persona: 2 anni di esperienza!", "a b c " * 50)
"""Texts that a model must score the same before and after saving."""


@dataclass(frozen=True)
class Trained:
    """`network` is the trained network, on the CPU; `scorer` its copy for inference; `constant`
    (k,) is the score of labels that had only one answer, nan for all others. Scores are the mean
    of those of the network and of the `linear` part, which is None in a model that an earlier
    version saved."""

    names: tuple[str, ...]
    pretrained: Pretrained
    max_length: int
    network: Network
    scorer: Network
    constant: NDArray[np.float64]
    linear: LinearPart | None
    calibration: Calibration
    thresholds: NDArray[np.float32]

    def scores_and_states(
        self, texts: Sequence[str], checkpoint: Checkpoint = no_checkpoint
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Scores (n, k) before calibration, and mean-pooled states (n, e)."""
        scores, states = scores_and_states(self.scorer, *self._input(texts), checkpoint)
        return self._with_linear(texts, [scores], checkpoint)[0], states

    def proba_with_dropout(
        self, texts: Sequence[str], passes: int, checkpoint: Checkpoint
    ) -> NDArray[np.float32]:
        """Probabilities (n, p, k) of p passes with different units dropped."""
        with own_random_state(hardware.device()):
            scores = scores_with_dropout(self.scorer, *self._input(texts), passes, checkpoint)
        by_pass = self._with_linear(texts, list(scores.swapaxes(0, 1)), checkpoint)
        return np.stack([self.proba(scores) for scores in by_pass], axis=1)

    def _with_linear(
        self, texts: Sequence[str], runs: list[NDArray[np.float32]], checkpoint: Checkpoint
    ) -> list[NDArray[np.float64]]:
        """The scores (n, k) of each of these runs of the network over the texts: their mean with
        those of the linear part, which are the same for all runs."""
        scores = [fill_in_constants(run, self.constant) for run in runs]
        if self.linear is None:
            return scores
        linear = self.linear.scores(texts, checkpoint)
        return [self.linear.mean.scores([run, linear]) for run in scores]

    def proba(self, scores: NDArray[np.float64]) -> Proba:
        """Calibrated probabilities (n, k) from scores (n, k)."""
        return self.calibration.proba(scores)

    def _input(self, texts: Sequence[str]) -> tuple[Tokens, int]:
        tokenizer = self.pretrained.tokenizer
        return tokenise(tokenizer, texts, self.max_length), padding_token(tokenizer)

    def save(self, folder: Path, options: Mapping[str, Any]) -> None:
        """Writes trained weights as safetensors and the rest as JSON, then loads the model again to
        check that it scores the same. Raises ClassifierError when it does not.

        With adapters only the name and id of the pretrained model are written, not a copy: each
        round saves a model, and the next training needs the pretrained one anyway.
        """
        self.network.save(folder)
        if (folder / MODEL).exists():  # a checkpoint of its own
            self.pretrained.tokenizer.save_pretrained(folder / MODEL)
        mean = self.linear and self.linear.save(folder)
        written = sorted(path for path in folder.rglob("*") if path.is_file())
        state = {
            "format": FORMAT if self.linear else ALONE_FORMAT,
            "options": dict(options),
            "names": self.names,
            "max_length": self.max_length,
            "dropout": self.network.dropout.p,
            "multi": self.calibration.multi,
            "slope": self.calibration.slope.tolist(),
            "offset": self.calibration.offset.tolist(),
            "thresholds": self.thresholds.tolist(),
            "constant": self.constant.tolist(),
            "mean": mean,
            "pretrained": {"name": self.pretrained.name, "id": self.pretrained.id},
            "files": {path.relative_to(folder).as_posix(): file_hash(path) for path in written},
        }
        write_whole(folder / FILE, json.dumps(state, indent=1))
        loaded, _ = load_trained(folder)
        before, after = self.scores_and_states(PROBE), loaded.scores_and_states(PROBE)
        if not np.array_equal(before[0], after[0]):
            (folder / FILE).unlink()
            raise ClassifierError(
                f"the model saved in {folder} does not score as the trained one does; please "
                f"report this with the name of the pretrained model, {self.pretrained.name}"
            )


def load_trained(folder: Path) -> tuple[Trained, dict[str, Any]]:
    """The saved model and its options. Raises ClassifierError when a file is missing, damaged or
    not a model file of biasloop, or when the pretrained model has changed."""
    with readable(folder / FILE):
        state: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
        _verify(folder, state)
        arrays = {name: np.array(state[name], np.float64) for name in ARRAYS}
        require_sound_head(state | arrays)
        if arrays["constant"].shape != arrays["slope"].shape:
            raise ValueError("the constants are not one per label")
        device = hardware.device()
        with own_random_state(device):
            pretrained = _pretrained_of(folder, state["pretrained"])
            network = load_network(pretrained.model(), folder, state["dropout"])
            scorer = network.for_scoring(device, hardware.dtype(device))
        names = tuple(state["names"])
        alone = state["format"] == ALONE_FORMAT
        trained = Trained(
            network=network,
            scorer=scorer,
            names=names,
            pretrained=pretrained,
            max_length=state["max_length"],
            constant=arrays["constant"],
            linear=None if alone else LinearPart.load(folder, state["mean"], names),
            calibration=Calibration(arrays["slope"], arrays["offset"], state["multi"]),
            thresholds=arrays["thresholds"].astype(np.float32),
        )
        return trained, state["options"]


def _verify(folder: Path, state: dict[str, Any]) -> None:
    if state["format"] not in (FORMAT, ALONE_FORMAT):
        raise ClassifierError(
            f"{folder / FILE} has format {state['format']}, this version reads {ALONE_FORMAT} and "
            f"{FORMAT}; train again"
        )
    for name, saved_hash in state["files"].items():
        if file_hash(folder / name) != saved_hash:
            raise ClassifierError(
                f"{folder / name} has changed since it was saved; roll back to another model or "
                "train again"
            )


def _pretrained_of(folder: Path, saved: Mapping[str, str]) -> Pretrained:
    if (folder / MODEL).exists():  # all of its weights were trained
        return find_pretrained(str(folder / MODEL))
    pretrained = find_pretrained(saved["name"], saved["id"])
    if pretrained.id != saved["id"]:
        raise ClassifierError(
            f"{pretrained.name} is no longer the pretrained model that {folder} was trained on (it "
            f"was {saved['id']}, it is {pretrained.id}); restore the earlier one, or train again"
        )
    return pretrained
