"""Shared base of the classifiers that encode each text once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import Evidence, FitReport, Proba, TrainingSet
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.erasure import evidence_spans, words_and_erased
from biasloop.plugins.classifiers.head.head import Head, fit_head
from biasloop.plugins.classifiers.head.report import require_labels
from biasloop.plugins.classifiers.options import HeadOptions
from biasloop.plugins.classifiers.state import read_state, readable, write_state
from biasloop.ports import Checkpoint, Encoder, no_checkpoint

FILE = "head.npz"
ENCODER = "encoder"
OLD_FORMAT = 4


class EncodedClassifier:
    """See ports.EncoderClassifier; subclasses provide the encoder.

    In a single-label scheme all classes share one temperature and are treated as equally frequent.
    With too few random labels `thresholds` are 0 and the verdict is the most probable class; else
    thresholds are those of the best expected macro-F1. Both favour rare classes over accuracy.
    """

    options_model: type[HeadOptions] = HeadOptions

    def __init__(self, options: HeadOptions | None = None) -> None:
        self.options = options or self.options_model()
        self.encoder: Encoder | None = None
        self._head: Head | None = None

    @property
    def offers(self) -> frozenset[str]:
        """Names of the outputs that `score` can give."""
        passes = {"passes"} if self.options.committee else set()
        return frozenset({"proba", "embedding"} | passes)

    @staticmethod
    def load_encoder(folder: Path) -> Encoder:
        """An encoder that a classifier of this kind saved. Raises ClassifierError when it cannot be
        read."""
        raise NotImplementedError

    def encoder_key(self) -> str:
        """A key that changes with everything `make_encoder` depends on, except the texts."""
        raise NotImplementedError

    def make_encoder(self, texts: Sequence[str], unlabelled: Sequence[str] = ()) -> Encoder:
        """See ports.EncoderClassifier."""
        raise NotImplementedError

    def fit(
        self,
        data: TrainingSet,
        *,
        seed: int,
        checkpoint: Checkpoint = no_checkpoint,
        work: Path | None = None,
    ) -> FitReport:
        """Trains the head; see classifiers.head. Raises ClassifierError without a labelled row."""
        require_labels(data)
        if data.features is None:
            encoder = self.encoder = self.encoder or self.make_encoder(data.texts)
            checkpoint()
            data = replace(data, features=encoder.encode(data.texts, checkpoint=checkpoint))
        if data.pool and data.pool.features is None:
            assert self.encoder is not None
            rows = self.encoder.encode(data.pool.texts, checkpoint=checkpoint)
            data = replace(data, pool=replace(data.pool, features=rows))
        self._head, report = fit_head(
            data,
            strength=self.options.strength,
            folds=self.options.folds,
            committee=self.options.committee,
            seed=seed,
            checkpoint=checkpoint,
            precision=self.options.precision,
        )
        return report

    def predict_proba(
        self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint
    ) -> Proba:
        """Calibrated probabilities (n, k)."""
        return self.score(texts, frozenset({"proba"}), checkpoint=checkpoint)["proba"]

    def score(
        self,
        texts: Sequence[str],
        needs: frozenset[str],
        *,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> dict[str, NDArray[np.float32]]:
        """See ports.Classifier."""
        features = self._trained_encoder.encode(texts, checkpoint=checkpoint)
        return self.score_features(features, needs)

    def score_features(
        self, features: Any, needs: frozenset[str]
    ) -> dict[str, NDArray[np.float32]]:
        """See ports.EncoderClassifier."""
        if missing := needs - self.offers:
            raise ClassifierError(
                f"this model cannot give {', '.join(sorted(missing))}; train it again with "
                "classifier.options.committee = true, or choose another strategy"
            )
        head = self.head
        functions: dict[str, Callable[[Any], NDArray[np.float32]]] = {
            "proba": head.proba,
            "passes": head.passes,
            "embedding": self._trained_encoder.embed,
        }
        return {name: functions[name](features) for name in sorted(needs)}

    def raw_scores(
        self, texts: Sequence[str], checkpoint: Checkpoint = no_checkpoint
    ) -> NDArray[np.float64]:
        """Scores (n, k) before calibration."""
        return self.head.model.scores(self._trained_encoder.encode(texts, checkpoint=checkpoint))

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """Per label, shape (k,); see domain.measure.metric.flag_labels."""
        return self.head.thresholds

    def evidence(self, text: str, labels: Sequence[str]) -> list[Evidence]:
        """For each label the words whose removal lowers its score most (erasure, Li et al. 2016),
        strongest first; neighbouring words are joined into one span."""
        words, erased = words_and_erased(text)
        scores = self.raw_scores([text, *erased])
        drops = scores[0] - scores[1:]
        names = self.head.names
        return [
            span
            for label in labels
            for span in evidence_spans(words, drops[:, names.index(label)], label)
        ]

    def save(self, folder: Path) -> None:
        """Writes the head, and the encoder in a folder next to it."""
        (folder / ENCODER).mkdir()
        self._trained_encoder.save(folder / ENCODER)
        options = self.options.model_dump(mode="json")
        write_state(folder / FILE, {"options": options, "head": self.head.state()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads a saved classifier. Raises ClassifierError when a file is missing, damaged or not a
        model file of biasloop."""
        file = folder / FILE
        with readable(file):
            state = read_state(file, OLD_FORMAT)
            classifier = cls(cls.options_model(**state["options"]))
            classifier.encoder = cls.load_encoder(folder / ENCODER)
            classifier._head = Head.from_state(state["head"])
            classifier.predict_proba([""])  # fails if shapes do not match
        return classifier

    @property
    def head(self) -> Head:
        """The trained head. Raises ClassifierError before fit or load."""
        if self._head is None:
            raise ClassifierError("this model is not trained; call fit or load first")
        return self._head

    @property
    def _trained_encoder(self) -> Encoder:
        if self.encoder is None:
            raise ClassifierError("this model is not trained; call fit or load first")
        return self.encoder
