"""The options of all classifiers, in a module that does not load torch."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from biasloop.errors import ClassifierError
from biasloop.plugins.registry import Options

Share = Annotated[float, Field(gt=0, lt=1)]


class ThresholdOptions(Options):
    """`precision`: by label, the least expected precision that its threshold must keep."""

    precision: dict[str, Share] = Field({})


class HeadOptions(ThresholdOptions):
    """`strength` is the inverse of the regularisation (C); `folds` is the number of
    folds for calibration and thresholds; `committee` keeps the models of the folds for strategies
    that need several models."""

    strength: float = Field(8.0, gt=0)
    folds: int = Field(5, ge=2, le=20)
    committee: bool = False


class TfidfOptions(HeadOptions):
    """`shortest` and `longest` bound the character n-grams; `language` is a folder of language
    data (a campaign's `language`), whose grammar then joins the features."""

    shortest: int = Field(2, ge=1, le=8)
    longest: int = Field(5, ge=1, le=8)
    language: Path | None = None


class EmbeddingOptions(HeadOptions):
    """`model` is a hub id or a local folder; texts are cut to `max_length` tokens. `states` says
    what is kept of them: those of four layers "joined", or their "mean"; by default the mean in
    large pools. `language` is a folder of language data, as for TfidfOptions."""

    model: str = Field(min_length=1)
    max_length: int = Field(256, ge=1)
    states: Literal["joined", "mean"] | None = None
    language: Path | None = None


class TransformerOptions(ThresholdOptions):
    """`model` is a hub id or a local folder. `tuning` "lora" trains adapters of that `rank` (with
    `alpha`) on the `targets`, names of layers or "all-linear"; "full" trains all weights. `lr`
    defaults to what suits the tuning. A batch holds at most `batch_tokens` tokens and
    `batch_rows` rows; training goes over the rows `epochs` times, or more often if that makes
    fewer than `min_steps` batches. `warm_up` is the share of the training in which the learning
    rate rises. `passes` is the number of runs with dropout for strategies that need several
    models. `language` is a folder of language data, as for TfidfOptions."""

    model: str = Field(min_length=1)
    tuning: Literal["lora", "full"] = "lora"
    rank: int = Field(8, ge=1)
    alpha: float = Field(16.0, gt=0)
    targets: str | list[str] = "all-linear"
    lr: float | None = Field(None, gt=0)
    epochs: int = Field(8, ge=1)
    min_steps: int = Field(200, ge=1)
    batch_tokens: int = Field(2048, ge=1)
    batch_rows: int = Field(16, ge=1)
    warm_up: float = Field(0.1, gt=0, lt=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    max_length: int = Field(256, ge=1)
    folds: int = Field(3, ge=2, le=20)
    passes: int = Field(8, ge=1)
    language: Path | None = None


def check_precision(precision: Mapping[str, float], labels: Collection[str], multi: bool) -> None:
    """Raises ClassifierError if a name in `precision` is not that of a label that has a threshold
    of its own."""
    if not multi and precision:
        raise ClassifierError(
            "classifier.options.precision is for schemes in which a text may have several labels; "
            "remove it"
        )
    if unknown := sorted(set(precision) - set(labels)):
        raise ClassifierError(
            f"classifier.options.precision names {unknown[0]!r}; the labels are "
            + ", ".join(labels)
        )
