"""Fine-tunes a pretrained encoder or decoder-only model to predict the labels, and decides together
with a linear model on terms, grammar and reader that learned from the same rows.

The score of a label is the mean of both models' calibrated log-odds. Thresholds and calibration are
fitted to out-of-fold scores, by root, as for the linear classifiers. That takes `folds` additional
trainings, each on the rows of the other folds. The final model learns from all rows, so it is
somewhat better, and more confident, than the models that calibrated it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import Evidence, FitReport, Proba, TrainingSet
from biasloop.domain.text import NORMALISER_VERSION
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.deep import hardware
from biasloop.plugins.classifiers.deep.batches import padding_token, tokenise
from biasloop.plugins.classifiers.deep.fitting import Fitter
from biasloop.plugins.classifiers.deep.network import Tuning, new_network
from biasloop.plugins.classifiers.deep.pretrained import Pretrained, find_pretrained
from biasloop.plugins.classifiers.deep.trained import Trained, load_trained
from biasloop.plugins.classifiers.deep.training import Plan, own_random_state
from biasloop.plugins.classifiers.erasure import evidence_spans, words_and_erased
from biasloop.plugins.classifiers.head.folds import group_folds
from biasloop.plugins.classifiers.head.report import calibrated, require_labels
from biasloop.plugins.classifiers.mixed.linear_part import LinearPart
from biasloop.plugins.classifiers.options import TfidfOptions, TransformerOptions
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.ports import Checkpoint, no_checkpoint

LR = {"lora": 1e-3, "full": 1e-4}
"""Learning rates that worked for a small sentence encoder on a few hundred texts."""


class Transformer:
    """See ports.Classifier. The seed decides folds, initial weights, order and dropout.

    In a single-label scheme classes weigh the same in training. With too few random labels
    `thresholds` are 0 and the verdict is the most probable class; else thresholds are those of the
    best expected macro-F1. Both favour rare classes over accuracy.
    """

    offers = frozenset({"proba", "embedding", "passes"})

    def __init__(self, options: TransformerOptions) -> None:
        self.options = options
        self._trained: Trained | None = None

    def fit(
        self,
        data: TrainingSet,
        *,
        seed: int,
        checkpoint: Checkpoint = no_checkpoint,
        work: Path | None = None,
    ) -> FitReport:
        """Trains once per fold and once on all rows. A model that does not learn is trained again
        with other settings, which the notes report. Finished folds and epochs are saved in `work`,
        if given. Raises ClassifierError without a labelled row, a word in the texts or a usable
        pretrained model."""
        require_labels(data)
        options = self.options
        pretrained = self.find_pretrained_model()
        max_length = pretrained.max_length(options.max_length)
        # Same folds as below: options.folds and the seed decide them. Only the mean is fitted to
        # the pool.
        linear = Tfidf(TfidfOptions(language=options.language, folds=options.folds))
        linear_report = linear.fit(replace(data, pool=None), seed=seed, checkpoint=checkpoint)
        device = hardware.device()
        fitter = Fitter(
            make=lambda: new_network(
                pretrained.model(), tuning(options), len(data.label_names), options.dropout
            ),
            tokens=tokenise(pretrained.tokenizer, data.texts, max_length),
            pad=padding_token(pretrained.tokenizer),
            labels=data.labels,
            weights=data.weights,
            names=data.label_names,
            multi=data.multi,
            plan=plan(options),
            seed=seed,
            device=device,
            dtype=hardware.dtype(device),
            work=work / self._fingerprint(data, pretrained, seed) if work else None,
            checkpoint=checkpoint,
        )
        with own_random_state(device):
            fold_of = group_folds(data.labels, data.roots, options.folds, seed)
            scores, notes = fitter.out_of_fold(fold_of)
            learned = fitter.fit(np.arange(len(data.texts)), seed, "all rows")
        part, mean, chance_notes = LinearPart.join(data, scores, linear, linear_report)
        calibration, report = calibrated(data, mean, precision=options.precision)
        self._trained = Trained(
            network=learned.network,
            scorer=learned.scorer,
            names=data.label_names,
            pretrained=pretrained,
            max_length=max_length,
            constant=learned.targets.constant,
            linear=part,
            calibration=calibration,
            thresholds=report.thresholds,
        )
        if data.pool:  # only now can its texts be scored
            pool_scores, _ = self.trained.scores_and_states(data.pool.texts, checkpoint)
            calibration, report = calibrated(data, mean, pool_scores, options.precision)
            self._trained = replace(
                self.trained, calibration=calibration, thresholds=report.thresholds
            )
        return replace(report, notes=(*report.notes, *chance_notes, *notes, *learned.notes))

    def find_pretrained_model(self) -> Pretrained:
        """Its files, found and identified; the weights are not loaded. Raises ClassifierError."""
        return find_pretrained(self.options.model)

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
        """See ports.Classifier. Embeddings are the mean-pooled states that the head reads."""
        if missing := needs - self.offers:
            raise ClassifierError(
                f"a transformer cannot give {', '.join(sorted(missing))}; choose another strategy"
            )
        outputs = {}
        if needs & {"proba", "embedding"}:
            scores, states = self.trained.scores_and_states(texts, checkpoint)
            outputs = {"proba": self.trained.proba(scores), "embedding": states}
        if "passes" in needs:
            outputs["passes"] = self.trained.proba_with_dropout(
                texts, self.options.passes, checkpoint
            )
        return {name: outputs[name] for name in sorted(needs)}

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """Per label, shape (k,); see domain.measure.metric.flag_labels."""
        return self.trained.thresholds

    def evidence(self, text: str, labels: Sequence[str]) -> list[Evidence]:
        """For each label the words whose removal lowers its score most (erasure, Li et al. 2016),
        strongest first; neighbouring words are joined into one span."""
        words, erased = words_and_erased(text)
        scores, _ = self.trained.scores_and_states([text, *erased])
        drops = scores[0] - scores[1:]
        names = self.trained.names
        return [
            span
            for label in labels
            for span in evidence_spans(words, drops[:, names.index(label)], label)
        ]

    def save(self, folder: Path) -> None:
        """See Trained.save."""
        self.trained.save(folder, self.options.model_dump(mode="json"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See load_trained."""
        trained, options = load_trained(folder)
        classifier = cls(TransformerOptions(**options))
        classifier._trained = trained
        return classifier

    @property
    def trained(self) -> Trained:
        """The trained model. Raises ClassifierError before fit or load."""
        if self._trained is None:
            raise ClassifierError("this transformer is not trained; call fit or load first")
        return self._trained

    def _fingerprint(self, data: TrainingSet, pretrained: Pretrained, seed: int) -> str:
        """A hash of everything that the fine-tuned weights depend on, so that only a training on
        the same data is resumed. The linear part is trained again: that takes seconds."""
        device = hardware.device()
        machine = [device.type, str(hardware.dtype(device))]
        setup = [
            self.options.model_dump(exclude={"language"}),
            pretrained.id,
            seed,
            *machine,
            NORMALISER_VERSION,
        ]
        rows = [data.texts, data.roots.tolist(), data.labels.tolist(), data.weights.tolist()]
        return blake2b(json.dumps([setup, rows, data.multi]).encode(), digest_size=8).hexdigest()


def tuning(options: TransformerOptions) -> Tuning:
    """Which weights are trained, from the options."""
    return Tuning(options.tuning, options.rank, options.alpha, options.targets)


def plan(options: TransformerOptions) -> Plan:
    """How they are trained, from the options."""
    return Plan(
        lr=options.lr or LR[options.tuning],
        epochs=options.epochs,
        min_steps=options.min_steps,
        tokens=options.batch_tokens,
        rows=options.batch_rows,
        warm_up=options.warm_up,
    )
