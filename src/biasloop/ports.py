"""The protocols between the steps and the outside world, all in one file.

Adapters implement them. Steps see the outside world only through them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self, TypeGuard

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.item import Ad, Item
from biasloop.domain.learning import Evidence, Features, FitReport, Proba, Scores, TrainingSet
from biasloop.domain.task import Account, LabelTask, PushedTask, RawAnnotation, TaskState
from biasloop.domain.writing.prompt import Answer, Prompt, Spending
from biasloop.domain.writing.synthesis import (
    CampaignBrief,
    SyntheticItem,
    TextRequest,
    WritingMaterial,
)

Checkpoint = Callable[[], None]
"""Long computations call it regularly; it ends the process if the parent process has died."""


def no_checkpoint() -> None:
    """Does nothing: a Checkpoint for work that runs in the foreground."""


# --- Label Studio -----------------------------------------------------------------------------


class LabelStudio(Protocol):
    """The campaign's project in Label Studio.

    Every method raises LabelStudioDown if the call may succeed later, and LabelStudioRefused if
    someone must change something first.
    """

    def ensure_project(
        self, title: str, label_config: str, instruction: str, *, prelabels: bool = False
    ) -> int:
        """Creates the project, or finds it by its title; returns its id. Idempotent. `prelabels`
        says whether annotators see the prelabels of tasks."""

    def task_ids(self, item_ids: Sequence[str]) -> dict[str, list[int]]:
        """The task ids of each item that has tasks; several where there are duplicates."""

    def push(self, tasks: Sequence[LabelTask], newest: PushedTask | None = None) -> dict[str, int]:
        """Creates the missing tasks in this order; returns the task id of every item.

        No task of these items is older than `newest`, the newest known task.
        """

    def changed_since(self, moment: datetime | None) -> Iterator[TaskState]:
        """The tasks that were updated at or after `moment` (None: all), with their annotations."""

    def set_overlap(self, task_id: int, overlap: int, *, done: bool) -> None:
        """Shows a task to annotators who have not answered it until it has `overlap` annotations;
        `done` says whether it already has that many."""

    def give_back(self, annotation: RawAnnotation) -> None:
        """Deletes an annotation, so that its author sees the task again. Does nothing if the
        annotation has changed since it was read, or no longer exists."""

    def withdraw(self, task_ids: Sequence[int]) -> None:
        """Deletes tasks with their annotations; ids that no longer exist are ignored."""

    def add_annotator(self, email: str, password: str) -> Account:
        """Creates the account, or finds it by its email; it may label in the project."""

    def task_url(self, task_id: int | None = None) -> str:
        """The URL of the page on which annotators label: the project, or one task."""


# --- Language models --------------------------------------------------------------------------


class Generator(Protocol):
    """A language model that answers many prompts at once.

    It does not raise if the model or its server fails: a prompt without a usable answer is returned
    with its problem, and `stopped` says in words why no more prompts are sent (None: they are).
    """

    @property
    def stopped(self) -> str | None: ...

    def ask(
        self, prompts: Sequence[Prompt], *, checkpoint: Checkpoint = no_checkpoint
    ) -> list[Answer]:
        """The answers, in the order of the prompts."""

    def spending(self) -> Spending:
        """What has been spent on the current purse so far."""


# --- Plug-ins ---------------------------------------------------------------------------------


class Classifier(Protocol):
    """Predicts probabilities for texts. The same data and seed give the same model."""

    @property
    def offers(self) -> frozenset[str]:
        """The names of the scores that `score` can compute."""

    def fit(
        self,
        data: TrainingSet,
        *,
        seed: int,
        checkpoint: Checkpoint = no_checkpoint,
        work: Path | None = None,
    ) -> FitReport:
        """Trains, calibrates and sets thresholds. Raises ClassifierError if that is impossible.

        A long training saves its progress in the folder `work`. If the process is killed, the next
        one continues from there and ends with the same model as an uninterrupted training.
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
        """The scores that strategies need, by name: "proba" (n, k); "embedding" (n, e), close for
        texts of similar meaning; "passes" (n, p, k), the probabilities of p committee members or p
        passes with dropout. Raises ClassifierError for a name that is not in `offers`."""

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """One per label, (k,): a label is flagged if its probability >= its threshold."""

    def evidence(self, text: str, labels: Sequence[str]) -> list[Evidence]:
        """The words of the text that support each label, strongest first; [] if unknown."""

    def save(self, folder: Path) -> None:
        """Writes the model into an existing empty folder, without pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Loads a saved model. Raises ClassifierError if the folder is damaged."""


class Encoder(Protocol):
    """Turns texts into feature rows that never change, so that they are computed once per item and
    stored.

    `id` is a hash of everything that the rows depend on: rows of two encoders are never mixed.
    """

    id: str

    def encode(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> Features:
        """Feature rows (n, d)."""

    def embed(self, features: Any) -> NDArray[np.float32]:
        """Turns feature rows into short dense vectors (n, e), for strategies that use distances."""

    def similarity(self, some: Any, others: Any) -> NDArray[np.float32]:
        """Cosine similarity of each feature row of `some` with each of `others`, (n, n'). It uses
        the full rows, since embeddings lose information."""

    def pack(self, features: Any) -> dict[str, NDArray[Any]]:
        """Turns feature rows into arrays to store, by name."""

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Features:
        """Restores feature rows from (memory-mapped) arrays. ValueError if they are damaged."""

    def join(self, parts: Sequence[Any]) -> Features:
        """Concatenates the feature rows of all parts (at least one)."""

    def save(self, folder: Path) -> None:
        """Writes it into an existing empty folder, without pickle."""


class EncoderClassifier(Classifier, Protocol):
    """A classifier on top of an encoder: only its head is trained, on stored features.

    `fit` uses `TrainingSet.features` if they are given; they must come from `encoder`, which must
    be set before. Otherwise it encodes the texts, with an encoder made from them if it has none.
    """

    encoder: Encoder | None

    def encoder_key(self) -> str:
        """Identifies everything that `make_encoder` depends on, except the texts."""

    def make_encoder(self, texts: Sequence[str], unlabelled: Sequence[str] = ()) -> Encoder:
        """Makes an encoder for labelled texts and for unlabelled texts such as these. The same
        texts in the same order give the same encoder. Raises ClassifierError if it fails."""

    @staticmethod
    def load_encoder(folder: Path) -> Encoder:
        """Loads a saved encoder. Raises ClassifierError if the folder is damaged."""

    def score_features(
        self, features: Any, needs: frozenset[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Like `score`, for feature rows of its encoder."""


def has_encoder(classifier: Classifier) -> TypeGuard[EncoderClassifier]:
    """Whether feature rows can be stored for this classifier. Works for its class as well."""
    return hasattr(classifier, "load_encoder")


class Strategy(Protocol):
    """Chooses the items to ask about next. `needs` are the names of exactly the scores it uses."""

    needs: frozenset[str]

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """Chooses n distinct positions among the m candidates, sorted; n is at most m."""


class Expander(Protocol):
    """Makes synthetic items from train items."""

    def expand(
        self, parents: Sequence[tuple[Item, tuple[str, ...]]], seed: int
    ) -> Iterator[SyntheticItem]:
        """`parents` are train items and their labels. The same input gives the same output."""


class PromptExpander(Protocol):
    """Plans what a language model should write. Pure: the expand job prompts and screens."""

    def plan(self, corpus: WritingMaterial, guide: CampaignBrief, seed: int) -> list[TextRequest]:
        """The texts to request, most important first. The same input gives the same plan."""


def needs_language_model(expander: Expander | PromptExpander) -> TypeGuard[PromptExpander]:
    """Whether the expander needs a language model."""
    return hasattr(expander, "plan")


Columns = Mapping[str, type]
"""Names and kinds of a table's columns: str, int, float, bool, date, datetime (aware), list (of
str) or dict (JSON text). Every value may be missing."""


class Exporter(Protocol):
    """Writes one table of an export."""

    suffix: str

    def write(self, table: str, columns: Columns, batches: Iterable[Any], folder: Path) -> Path:
        """Writes pyarrow record batches, a stream, to a file in `folder`; returns its path. Raises
        DataError, which names the place, for what the format cannot hold."""


# --- Storage ----------------------------------------------------------------------------------


class Pool(Protocol):
    """All items, numbered by row; a row number is never reused."""

    def __len__(self) -> int:
        """Number of rows, including erased ones."""

    def append(self, items: Iterable[Item], ads: Iterable[Ad] = ()) -> tuple[int, int]:
        """Adds items whose id is new; returns the numbers (added, duplicates). Takes the writer
        lock."""

    def column(self, name: str, stop: int | None = None) -> NDArray[Any]:
        """A column of the rows [0, stop): id, text_hash, split, origin, root and group are str
        arrays, erased is bool."""

    def items(self, rows: Sequence[int] | Rows) -> list[Item]:
        """The items of these rows, in the same order."""

    def texts(self, rows: Sequence[int] | Rows) -> list[str]:
        """The texts of these rows, in the same order."""

    def shards(self) -> list[tuple[int, int, int]]:
        """(number, first row, number of rows) of every shard. Shards never change."""

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """The row of each item id, -1 if unknown."""

    def ads(self, ad_ids: Sequence[str]) -> dict[str, Ad]:
        """Ads by id, without unknown ids."""

    def erase(self, ad_id: str) -> list[str]:
        """Erases the texts of an ad, of its items and of their descendants forever; returns the
        ids of the erased items. Their rows stay as tombstones."""
