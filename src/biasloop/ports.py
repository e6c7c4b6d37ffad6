"""The protocols between the steps and the outside, on one page.

Adapters implement them; steps see nothing else of the outside.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self, TypeGuard

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.item import Ad, Item
from biasloop.domain.learning import (
    Evidence,
    Features,
    FitReport,
    Proba,
    Scores,
    TrainingSet,
)
from biasloop.domain.task import Account, LabelTask, PushedTask, RawAnnotation, TaskState
from biasloop.domain.writing.prompt import Answer, Prompt, Spending
from biasloop.domain.writing.synthesis import (
    CampaignBrief,
    SyntheticItem,
    TextRequest,
    WritingMaterial,
)

Checkpoint = Callable[[], None]
"""Called now and then by long work; ends the process when its parent is gone."""


def no_checkpoint() -> None:
    """For work that runs in the foreground."""


# --- Label Studio -----------------------------------------------------------------------------


class LabelStudio(Protocol):
    """The one project of this campaign in Label Studio.

    Every method raises LabelStudioDown when it is worth trying again later, LabelStudioRefused
    when a person must change something first.
    """

    def ensure_project(
        self, title: str, label_config: str, instruction: str, *, prelabels: bool = False
    ) -> int:
        """Makes the project or finds it again by title; returns its id. Repeatable. `prelabels`
        says whether annotators see those of the tasks."""

    def task_ids(self, item_ids: Sequence[str]) -> dict[str, list[int]]:
        """Ids of the tasks of each item that has any; more than one where there are doubles."""

    def push(self, tasks: Sequence[LabelTask], newest: PushedTask | None = None) -> dict[str, int]:
        """Sends only what is missing, in this order; returns the task id of every item. None of
        them was sent before the `newest` task known."""

    def changed_since(self, moment: datetime | None) -> Iterator[TaskState]:
        """Tasks updated at or after `moment` (None: all), with their annotations."""

    def set_overlap(self, task_id: int, overlap: int, *, done: bool) -> None:
        """Shows a task to people who have not answered it until it has `overlap` annotations;
        `done` says whether it has so many already."""

    def give_back(self, annotation: RawAnnotation) -> None:
        """Deletes an annotation, so that its author is shown the task again; one that changed
        since it was read, or is gone, is left alone."""

    def withdraw(self, task_ids: Sequence[int]) -> None:
        """Deletes tasks (and what hangs on them); ids that are gone already are no error."""

    def add_annotator(self, email: str, password: str) -> Account:
        """Makes an account, or finds it; it may label the project."""

    def task_url(self, task_id: int | None = None) -> str:
        """Where a person labels: the project's page, or one task."""


# --- Language models --------------------------------------------------------------------------


class Generator(Protocol):
    """A language model that is asked many prompts at once.

    It never raises for the model's or the server's sake: a prompt without a usable answer comes
    back with its problem, and `stopped` says in words why it asks no more (None: it does).
    """

    @property
    def stopped(self) -> str | None: ...

    def ask(
        self, prompts: Sequence[Prompt], *, checkpoint: Checkpoint = no_checkpoint
    ) -> list[Answer]:
        """The answers, in the order of the prompts."""

    def spending(self) -> Spending:
        """What was spent on the present piece of work so far."""


# --- Plug-ins ---------------------------------------------------------------------------------


class Classifier(Protocol):
    """Probabilities for texts. Seeded: same data and seed, same model."""

    @property
    def offers(self) -> frozenset[str]:
        """The names of what it can `score`."""

    def fit(
        self,
        data: TrainingSet,
        *,
        seed: int,
        checkpoint: Checkpoint = no_checkpoint,
        work: Path | None = None,
    ) -> FitReport:
        """Trains, calibrates and sets thresholds. Raises ClassifierError when it cannot.

        A long training keeps in the folder `work` what it goes on from after a kill; it then ends
        with the same model as an unbroken one.
        """

    def predict_proba(
        self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint
    ) -> Proba:
        """Calibrated probabilities (n, k)."""

    def score(
        self,
        texts: Sequence[str],
        needs: frozenset[str],
        *,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> dict[str, NDArray[np.float32]]:
        """What strategies need, by name: "proba" (n, k); "embedding" (n, e), close where texts
        mean the same; "passes" (n, p, k), the probabilities of p members of a committee or passes
        with dropout. Raises ClassifierError for a name that is not in `offers`."""

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """Per label, shape (k,): flagged where probability >= threshold."""

    def evidence(self, text: str, labels: Sequence[str]) -> list[Evidence]:
        """The words that carry each label in this text, strongest first; [] if it cannot tell."""

    def save(self, folder: Path) -> None:
        """Writes the model into an existing empty folder, without pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads it back. Raises ClassifierError when the folder is damaged."""


class Encoder(Protocol):
    """Texts to feature rows that never change, so that they are made once per item and kept.

    `id` is a hash of all that it depends on: rows of two encoders are never mixed.
    """

    id: str

    def encode(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> Features:
        """Feature rows (n, d)."""

    def embed(self, features: Any) -> NDArray[np.float32]:
        """Feature rows as short dense vectors (n, e), for strategies that measure distances."""

    def similarity(self, some: Any, others: Any) -> NDArray[np.float32]:
        """Cosine of each feature row of `some` with each of `others`, (n, n'): of the rows
        themselves, of which their embeddings are but a shadow."""

    def pack(self, features: Any) -> dict[str, NDArray[Any]]:
        """Feature rows as arrays to keep, by name."""

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Features:
        """Feature rows from kept arrays, which may be memory-mapped."""

    def join(self, parts: Sequence[Any]) -> Features:
        """The feature rows of all parts, one after the other; at least one part."""

    def save(self, folder: Path) -> None:
        """Writes it into an existing empty folder, without pickle."""


class EncoderClassifier(Classifier, Protocol):
    """A classifier on an encoder: only its head is trained, on features that are kept.

    `fit` takes them from `TrainingSet.features` where they are given (of `encoder`, set before),
    and else encodes the texts, with an encoder that it makes of them if it has none.
    """

    encoder: Encoder | None

    def encoder_key(self) -> str:
        """Changes with all that `make_encoder` depends on, except the texts."""

    def make_encoder(self, texts: Sequence[str], unlabelled: Sequence[str] = ()) -> Encoder:
        """An encoder for labelled texts and unlabelled ones like these; from the same texts in
        the same order, the same encoder. Raises ClassifierError when it cannot be made."""

    @staticmethod
    def load_encoder(folder: Path) -> Encoder:
        """One that was saved. Raises ClassifierError when the folder is damaged."""

    def score_features(
        self, features: Any, needs: frozenset[str]
    ) -> dict[str, NDArray[np.float32]]:
        """As `score`, of feature rows of its encoder."""


def has_encoder(classifier: Classifier) -> TypeGuard[EncoderClassifier]:
    """Whether feature rows can be kept for this classifier; asked of its class, too."""
    return hasattr(classifier, "load_encoder")


class Strategy(Protocol):
    """Chooses what to ask people next. `needs` says what score must store, no more."""

    needs: frozenset[str]

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """n distinct positions among the m candidates, sorted; n is at most m."""


class Expander(Protocol):
    """Makes synthetic items out of train items."""

    def expand(
        self, parents: Sequence[tuple[Item, tuple[str, ...]]], seed: int
    ) -> Iterator[SyntheticItem]:
        """From labelled train items (item, labels); the same input gives the same output."""


class PromptExpander(Protocol):
    """Says what a language model shall write. Pure: the expand job asks, screens and judges."""

    def plan(self, corpus: WritingMaterial, guide: CampaignBrief, seed: int) -> list[TextRequest]:
        """What to ask for, most wanted first; the same input gives the same plan."""


def needs_language_model(expander: Expander | PromptExpander) -> TypeGuard[PromptExpander]:
    """Whether it needs a language model."""
    return hasattr(expander, "plan")


Columns = Mapping[str, type]
"""Names and types of a table's columns: str, int, float, datetime (aware), list (of str) or dict
(of what JSON can say); every value may be None."""


class Exporter(Protocol):
    """Writes one table of an export."""

    suffix: str

    def write(
        self, table: str, columns: Columns, rows: Iterable[Mapping[str, Any]], folder: Path
    ) -> Path:
        """Writes `rows`, a stream, to folder/table+suffix and returns that path."""


# --- Storage ----------------------------------------------------------------------------------


class Pool(Protocol):
    """All items, numbered by row; a row number is never used again."""

    def __len__(self) -> int:
        """Rows so far, erased ones included."""

    def append(self, items: Iterable[Item], ads: Iterable[Ad] = ()) -> tuple[int, int]:
        """Adds those whose id is new; returns (added, duplicates). Takes the writer lock."""

    def column(self, name: str, stop: int | None = None) -> NDArray[Any]:
        """A column of rows [0, stop): id, text_hash, split, origin, root, group as str arrays,
        erased as bool."""

    def items(self, rows: Sequence[int] | Rows) -> list[Item]:
        """Whole items, in the order asked."""

    def texts(self, rows: Sequence[int] | Rows) -> list[str]:
        """Their texts."""

    def shards(self) -> list[tuple[int, int, int]]:
        """(number, first row, rows) of every shard; these never change."""

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """Row per item id, -1 where unknown."""

    def ads(self, ad_ids: Sequence[str]) -> dict[str, Ad]:
        """Ads by id; unknown ids are left out."""

    def erase(self, ad_id: str) -> list[str]:
        """Blanks the ad's text and its items' (and what descends from it) for ever; returns the
        ids of the erased items. The rows stay as tombstones."""
