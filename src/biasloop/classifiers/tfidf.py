"""The linear classifier: TF-IDF of word and character n-grams, one logistic regression per label.

It trains in seconds on a CPU. Calibration and thresholds are fitted to out-of-fold scores, by
root, of rows that people labelled or wrote (sources human and seed) with their weights;
constructed and LLM-labelled rows train it, but choose nothing.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import skops.io
from numpy.typing import NDArray
from pydantic import Field

from biasloop.classifiers.calibration import Calibration, OutOfFold
from biasloop.classifiers.features import Blocks, Terms, Weighting
from biasloop.classifiers.folds import group_folds
from biasloop.classifiers.linear import Linear, fit_linear
from biasloop.domain.label import MISSING, LabelSource
from biasloop.errors import ClassifierError
from biasloop.language.data import Language, read_language
from biasloop.ports import Checkpoint, Evidence, FitReport, Proba, TrainingSet, no_checkpoint
from biasloop.registry import Options

FILE = "model.skops"
LANGUAGE = "language"
"""The language data of a model, beside it: what it learned is only right with them."""
FORMAT = 3
TRUSTED: frozenset[str] = frozenset()
"""Types beyond those that skops itself holds safe that a model file may contain: none."""
BATCH = 4096
"""Texts between two checkpoints."""

_WORD = re.compile(r"\w(?:\S*[\w*])?")
_ERASED = "\N{WHITE SQUARE}"
STRONG = 0.25
"""Share of the strongest word's weight from which a word counts as evidence."""


class TfidfOptions(Options):
    """`shortest` and `longest` bound the character n-grams; an n-gram counts from `min_rows`
    training rows on; `strength` is the inverse of the regularisation (C); `language` is a folder
    of language data (a campaign's `language`), whose grammar then joins the features."""

    shortest: int = Field(2, ge=1, le=8)
    longest: int = Field(5, ge=1, le=8)
    min_rows: int = Field(1, ge=1)
    strength: float = Field(8.0, gt=0)
    folds: int = Field(5, ge=2, le=20)
    language: Path | None = None


@dataclass(frozen=True, slots=True)
class _Model:
    names: tuple[str, ...]
    terms: Terms
    weighting: Weighting
    linear: Linear
    calibration: Calibration
    thresholds: NDArray[np.float32]

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return self.linear.scores(self.weighting.rows(self.terms.count(texts)))


class Tfidf:
    """See ports.Classifier. The seed decides the folds; all else is deterministic.

    In a single-label scheme `thresholds` are 0 and the verdict is the most probable class; its
    probabilities have one temperature for all classes and treat them as equally frequent, which
    favours rare classes (macro-F1) over accuracy.
    """

    def __init__(self, options: TfidfOptions | None = None) -> None:
        self.options = options or TfidfOptions()
        self._fitted: _Model | None = None

    def fit(
        self, data: TrainingSet, *, seed: int, checkpoint: Checkpoint = no_checkpoint
    ) -> FitReport:
        """Trains on all rows; the report's `oof` comes from models that did not see the root.

        The two numbers that calibrate a label are fitted to all out-of-fold scores at once.
        Raises ClassifierError without a labelled row, or without a word in any text.
        """
        weights = data.weights.astype(np.float64)
        if not ((data.labels != MISSING).any(axis=1) & (weights > 0)).any():
            raise ClassifierError(
                f"none of the {len(data.texts)} training rows has a label and a weight; "
                "import seeds or label some items first"
            )
        options = self.options
        language = read_language(options.language) if options.language else None
        terms = Terms(options.shortest, options.longest, language)
        blocks = terms.fit(data.texts)
        if not terms.vocabularies["chars"]:
            raise ClassifierError(
                f"the {len(data.texts)} training texts hold no word; check what was imported"
            )
        checkpoint()
        held_out = self._out_of_fold(blocks, data, weights, seed, checkpoint)
        calibrate = held_out.calibrate_labels if data.multi else held_out.calibrate_classes
        calibration, thresholds, notes = calibrate()
        weighting = Weighting.fit(blocks, self.options.min_rows)
        linear = fit_linear(weighting.rows(blocks), data.labels, weights, self.options.strength)
        self._fitted = _Model(data.label_names, terms, weighting, linear, calibration, thresholds)
        return FitReport(
            calibration.proba(held_out.scores),
            thresholds,
            (*_without_positives(data), *notes),
        )

    def predict_proba(
        self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint
    ) -> Proba:
        """Calibrated probabilities (n, k)."""
        model = self._model
        proba = np.empty((len(texts), len(model.names)), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            proba[start : start + len(batch)] = model.calibration.proba(model.scores(batch))
            checkpoint()
        return proba

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """Per label, shape (k,); zeros in a single-label scheme."""
        return self._model.thresholds

    def evidence(self, text: str, labels: Sequence[str]) -> list[Evidence]:
        """For each label the words whose absence lowers its score most (erasure, Li et al. 2016),
        strongest first; neighbouring ones are one span."""
        model = self._model
        words = [match.span() for match in _WORD.finditer(text)]
        erased = [text[:start] + _ERASED + text[end:] for start, end in words]
        scores = model.scores([text, *erased])
        drops = scores[0] - scores[1:]
        return [
            span
            for label in labels
            for span in _spans(words, drops[:, model.names.index(label)], label)
        ]

    def save(self, folder: Path) -> None:
        """Writes `model.skops`: arrays, strings and numbers only."""
        model = self._model
        state = {
            "format": FORMAT,
            "options": self.options.model_dump(exclude={"language"}),
            "names": list(model.names),
            "multi": model.calibration.multi,
            # No term holds a line break: it is white space.
            "vocabularies": {
                name: "\n".join(terms) for name, terms in model.terms.vocabularies.items()
            },
            "idf": list(model.weighting.idf),
            "coef": model.linear.coef,
            "intercept": model.linear.intercept,
            "slope": model.calibration.slope,
            "offset": model.calibration.offset,
            "thresholds": model.thresholds,
        }
        if self.options.language and model.terms.language:
            shutil.copytree(self.options.language, folder / LANGUAGE)
        part = folder / f"{FILE}.part"
        skops.io.dump(state, part)
        os.replace(part, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads it back. Raises ClassifierError when the file is missing, damaged or foreign."""
        file = folder / FILE
        try:
            return cls._from_state(_read(file), read_language(folder / LANGUAGE))
        except ClassifierError:
            raise
        except Exception as error:  # a damaged archive fails in too many ways to name
            raise ClassifierError(
                f"{file} cannot be read ({type(error).__name__}: {error}); "
                "roll back to another model or train again"
            ) from error

    @classmethod
    def _from_state(cls, state: dict[str, Any], language: Language | None) -> Self:
        found = cls(TfidfOptions(**state["options"]))
        terms = Terms(found.options.shortest, found.options.longest, language)
        terms.vocabularies = {
            name: _vocabulary(joined) for name, joined in state["vocabularies"].items()
        }
        found._fitted = _Model(
            names=tuple(state["names"]),
            terms=terms,
            weighting=Weighting(tuple(state["idf"])),
            linear=Linear(state["coef"], state["intercept"]),
            calibration=Calibration(state["slope"], state["offset"], state["multi"]),
            thresholds=state["thresholds"],
        )
        found.predict_proba([""])  # shapes that do not fit show here
        return found

    @property
    def _model(self) -> _Model:
        if self._fitted is None:
            raise ClassifierError("this tfidf model is not trained; call fit or load first")
        return self._fitted

    def _out_of_fold(
        self,
        blocks: Blocks,
        data: TrainingSet,
        weights: NDArray[np.float64],
        seed: int,
        checkpoint: Checkpoint,
    ) -> OutOfFold:
        fold_of = group_folds(data.labels, data.roots, self.options.folds, seed)
        scores = np.zeros(data.labels.shape)
        for fold in range(fold_of.max() + 1):
            outside = fold_of == fold
            if outside.all():
                break  # one root: no model can be tried on it, scores stay undecided
            seen = tuple(block[~outside] for block in blocks)
            weighting = Weighting.fit(seen, self.options.min_rows)
            linear = fit_linear(
                weighting.rows(seen),
                data.labels[~outside],
                weights[~outside],
                self.options.strength,
            )
            unseen = tuple(block[outside] for block in blocks)
            scores[outside] = linear.scores(weighting.rows(unseen))
            checkpoint()
        chooses = np.isin(data.sources, (LabelSource.HUMAN, LabelSource.SEED))
        return OutOfFold(scores, data.labels, weights * chooses, data.roots, data.label_names)


def _without_positives(data: TrainingSet) -> list[str]:
    found = (data.labels == 1).any(axis=0)
    return [
        f"{name}: no row has it; its probability is 0"
        for name, positive in zip(data.label_names, found, strict=True)
        if not positive
    ]


def _spans(words: list[tuple[int, int]], drops: NDArray[np.float64], label: str) -> list[Evidence]:
    if not words or drops.max() <= 0:
        return []
    spans: list[Evidence] = []
    previous = -2
    for i in np.flatnonzero(drops >= STRONG * drops.max()):
        (start, end), weight = words[i], float(drops[i])
        if i == previous + 1:
            last = spans.pop()
            start, weight = last.start, last.weight + weight
        spans.append(Evidence(start, end, label, weight))
        previous = i
    return sorted(spans, key=lambda span: (-span.weight, span.start))


def _vocabulary(joined: str) -> dict[str, int]:
    return {term: i for i, term in enumerate(joined.split("\n") if joined else [])}


def _read(file: Path) -> dict[str, Any]:
    foreign = set(skops.io.get_untrusted_types(file=file)) - TRUSTED
    if foreign:
        raise ClassifierError(
            f"{file} holds types that a tfidf model never has: {', '.join(sorted(foreign))}; "
            "do not use this file, train again"
        )
    state: dict[str, Any] = skops.io.load(file, trusted=sorted(TRUSTED))
    if state["format"] != FORMAT:
        raise ClassifierError(
            f"{file} has format {state['format']}, this version reads {FORMAT}; train again"
        )
    return state
