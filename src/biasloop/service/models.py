"""Models: trains one, puts one into service or back, and gives verdicts of the one in service."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from biasloop.domain.model import ModelVersion, Promotion
from biasloop.errors import ClassifierError, LedgerError
from biasloop.plugins.loaded_model import LoadedModel
from biasloop.rounds.steps.close import close
from biasloop.service.exclusive import only_one
from biasloop.service.service import Service

RUNNING = "another training is running in this workspace; wait until it has ended, then train again"


@dataclass(frozen=True, slots=True)
class Training:
    """A model that `train` made, with its card; `expanded` counts the new items by expander."""

    model: str
    expanded: Mapping[str, int]
    card: Mapping[str, Any]


def train(service: Service, progress: Callable[[str], None]) -> Training:
    """Completes the campaign's offline expansion, trains on what is labelled now, and puts the
    model into service. `progress` gets the current activity.

    Raises ClassifierError when there is nothing to train on, WorkspaceError when another training
    is running.
    """
    with _only_training(service) as job:
        return _train(service, job, progress)


@contextmanager
def _only_training(service: Service) -> Iterator[Path]:
    """Excludes other trainings by hand. Yields the folder of the job, which is removed at the end;
    if this process is killed, the next training continues from there."""
    job = service.layout.job(None, "train")
    job.parent.mkdir(parents=True, exist_ok=True)
    with only_one(service.layout.folder / "train.lock", RUNNING):
        try:
            yield job
        finally:
            by_earlier_versions = job.parent.glob(f"{job.name}-*")
            close(job_folders=[job, service.layout.job(None, "expand"), *by_earlier_versions])


def _train(service: Service, job: Path, progress: Callable[[str], None]) -> Training:
    progress("expanding …")
    expanded = service.steps.expand(None, lambda: None, offline=True)
    service.ledger.add(expanded.records, datetime.now(UTC))
    progress("training …")
    model_id = _new_model_id(service)
    trained = service.steps.train_at(service.ledger.sequence(), model_id, job)
    if not trained.records:
        raise ClassifierError(
            f"nothing to train on: {trained.facts['note']}; import labelled rows or label items"
        )
    promotion = Promotion(model_id, "biasloop train")
    service.ledger.add([*trained.records, promotion], datetime.now(UTC))
    return Training(model_id, expanded.facts["expanded"], trained.records[0].card)


def _new_model_id(service: Service) -> str:
    """An id by the current second, or by the first one after it that no model has."""
    known = {model.id for _, _, model in service.ledger.models.all()}
    at = datetime.now(UTC)
    while (model_id := f"t{at:%Y%m%d-%H%M%S}") in known:
        at += timedelta(seconds=1)
    return model_id


def promote(service: Service, model_id: str) -> None:
    """Puts a model into service. Raises LedgerError when there is none of that id."""
    service.ledger.models.get(model_id)
    service.ledger.add([Promotion(model_id, "by hand")], datetime.now(UTC))


def roll_back(service: Service) -> tuple[datetime, str]:
    """Puts the model back into service that was there before the current one. Returns when it was
    promoted before, and its id. Raises LedgerError when there is none."""
    history = service.ledger.models.promotions()
    current = history[-1][1].model_id if history else None
    earlier = [(at, p.model_id) for at, p in history if p.model_id != current]
    if not earlier:
        raise LedgerError(
            "there is no earlier model to go back to (see `biasloop models list`); "
            "`biasloop train` makes one"
        )
    since, model_id = earlier[-1]
    service.ledger.add([Promotion(model_id, f"rolled back from {current}")], datetime.now(UTC))
    return since, model_id


def version_in_service(service: Service) -> ModelVersion:
    """The model in service. Raises ClassifierError when there is none yet."""
    version = service.ledger.models.in_service()
    if version is None:
        raise ClassifierError("no model is in service yet; `biasloop train` makes one")
    return version


def in_service(service: Service) -> tuple[ModelVersion, LoadedModel]:
    """The model in service, loaded. Raises ClassifierError when there is none yet."""
    version = version_in_service(service)
    folder, scheme = service.layout.folder / version.folder, service.campaign.scheme
    return version, LoadedModel.load(version.classifier, folder, version.labels, scheme)
