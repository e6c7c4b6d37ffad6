"""The labels of the campaign: what was made under each of them, and new names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource
from biasloop.errors import ConfigError
from biasloop.service.service import Service
from biasloop.store.control import Event
from biasloop.workspace.renaming import rename_in_campaign


@dataclass(frozen=True, slots=True)
class LabelUse:
    """What there is under a label: people's votes, adjudications, seeds, known answers of gold
    items, constructed labels and those of language models, and the models that learned it.
    `current` is false for a label that the campaign no longer has."""

    label: str
    current: bool
    votes: int
    adjudicated: int
    seeds: int
    gold: int
    constructed: int
    llm: int
    models: int


def label_uses(service: Service) -> list[LabelUse]:
    """The labels of the campaign in their order, then those that it no longer has."""
    scheme, annotations = service.campaign.scheme, service.ledger.annotations()
    learned = [model.labels for _, _, model in service.ledger.models.all()]
    counts: dict[str, dict[str, int]] = {}
    for annotation in annotations:
        if annotation.standing is Standing.VOTE:
            for label in map(scheme.current_name, annotation.labels):
                of_label = counts.setdefault(label, {})
                of_label[annotation.source] = of_label.get(annotation.source, 0) + 1
    known = [{scheme.current_name(name) for name in names} for names in learned]
    gone = sorted({*counts, *(name for names in known for name in names)} - {*scheme.choices})
    return [
        LabelUse(
            label=label,
            current=label in scheme.choices,
            votes=counts.get(label, {}).get(LabelSource.HUMAN, 0),
            adjudicated=counts.get(label, {}).get(LabelSource.ADJUDICATED, 0),
            seeds=counts.get(label, {}).get(LabelSource.SEED, 0),
            gold=counts.get(label, {}).get(LabelSource.GOLD, 0),
            constructed=counts.get(label, {}).get(LabelSource.CONSTRUCTED, 0),
            llm=counts.get(label, {}).get(LabelSource.LLM, 0),
            models=sum(label in names for names in known),
        )
        for label in (*scheme.choices, *gone)
    ]


def check_rename(service: Service, old: str, new: str) -> LabelUse:
    """What a label's new name touches. Raises ConfigError if it cannot be renamed so."""
    uses = {use.label: use for use in label_uses(service)}
    try:
        service.campaign.scheme.rename(old, new)
    except ValueError as error:
        raise ConfigError(f"{error}; `biasloop labels` lists them") from None
    if not new.strip() or new != new.strip():
        raise ConfigError("a label needs a name that neither begins nor ends with a space")
    if new in uses:
        raise ConfigError(
            f"there are votes or models of a former label {new}, which would become those of "
            f"{old}; choose a new name"
        )
    return uses[old]


def rename(service: Service, old: str, new: str) -> int:
    """Gives a label a new name in the campaign folder and in the ledger; returns the number of
    labelled items that now say it. Models and answers in Label Studio keep the former name, and
    are read under the new one. Raises ConfigError, CampaignError.
    """
    check_rename(service, old, new)
    rename_in_campaign(service.layout.campaign, service.campaign.scheme, old, new)
    changed = [
        _renamed(annotation, old, new)
        for annotation in service.ledger.annotations()
        if old in annotation.labels and annotation.source is not LabelSource.LLM
    ]  # a new version of one by a language model would have to be reviewed once more
    recorded = service.ledger.record(changed)
    service.ledger.control.note(Event.LABEL_RENAMED, {"old": old, "new": new}, datetime.now(UTC))
    return recorded


def _renamed(annotation: Annotation, old: str, new: str) -> Annotation:
    def names(labels: Sequence[str]) -> tuple[str, ...]:
        return tuple(new if label == old else label for label in labels)

    return replace(annotation, labels=names(annotation.labels), asked=names(annotation.asked))
