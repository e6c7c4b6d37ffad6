"""From the overview to what the page shows. Pure: no clock, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from markupsafe import Markup

from biasloop.domain.round import STEPS

STEP_NAMES = tuple(step for step, _ in STEPS.values())
DOING = {
    "expand": "making synthetic items",
    "score": "scoring the pool",
    "select": "choosing the batch",
    "push": "sending the batch to Label Studio",
    "pull": "waiting for people to label",
    "aggregate": "bringing the votes to a consensus",
    "train": "training a model",
    "evaluate": "measuring the model on audit items",
    "close": "clearing up",
}


@dataclass(frozen=True, slots=True)
class Doing:
    """What a live round is at."""

    kind: Literal["runs", "waits", "failed", "paused"]
    text: str
    again: datetime | None = None
    """When a failed step is tried again."""


def doing(round_: Mapping[str, Any], loop: str) -> Doing:
    """What a round that is not over does now, in words."""
    step = round_["step"]
    if round_["error"]:
        times = "once" if round_["attempts"] == 1 else f"{round_['attempts']} times"
        again = None if loop == "paused" else round_["retry_at"]
        return Doing("failed", f"{step} failed {times}: {round_['error']}", again)
    if round_["waits_for"]:
        return Doing("waits", round_["waits_for"])
    if loop == "paused":
        return Doing("paused", f"{step} is next; the loop is paused")
    return Doing("runs", DOING[step])


def progress(step: str) -> list[tuple[str, str]]:
    """(step, "done", "now" or "later") for every step of a round."""
    here = STEP_NAMES.index(step)
    return [
        (name, "done" if i < here else "now" if i == here else "later")
        for i, name in enumerate(STEP_NAMES)
    ]


def curve_points(curve: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The measured points of the learning curve, as the page's script plots them."""
    return [
        {
            "labels": point["labels"],
            "f1": point["micro_f1"]["value"],
            "low": point["micro_f1"]["low"],
            "high": point["micro_f1"]["high"],
            "n": point["audit_items"],
            "name": f"round {point['round']}, model {point['model']}",
        }
        for point in curve
        if point["micro_f1"] is not None
    ]


def task_url(label_studio: Mapping[str, Any], task: int | None = None) -> str:
    """Our project in Label Studio, or one of its tasks."""
    base = str(label_studio["url"]).rstrip("/")
    if label_studio["project"] is None:
        return base
    query = "" if task is None else f"?task={task}"
    return f"{base}/projects/{label_studio['project']}/data{query}"


# --- filters -----------------------------------------------------------------------------------


def when(moment: datetime | None, kind: str = "day") -> Markup:
    """A moment in UTC; the page's script puts it into the reader's zone. `kind`: day or clock."""
    if moment is None:
        return Markup("–")
    moment = moment.astimezone(UTC)
    return Markup('<time class="{}" datetime="{}">{}</time>').format(
        kind, moment.isoformat(timespec="seconds"), f"{moment:%Y-%m-%d %H:%M} UTC"
    )


def interval(measure: Mapping[str, float] | None) -> Markup:
    """A measured value with its bounds; a dash when it could not be measured."""
    if measure is None:
        return Markup('<span class="none">–</span>')
    return Markup("<b>{}</b> <small>{}–{}</small>").format(
        *(f"{measure[key]:.2f}" for key in ("value", "low", "high"))
    )


def change(measure: Mapping[str, float] | None) -> Markup:
    """A difference with its sign and bounds."""
    if measure is None:
        return Markup('<span class="none">–</span>')
    return Markup("<b>{}</b> <small>{} to {}</small>").format(
        *(f"{measure[key]:+.2f}".replace("-", "−") for key in ("value", "low", "high"))
    )


def pairs(data: Mapping[str, Any]) -> str:
    """An event's data on one line."""
    return ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in data.items())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({pairs(value)})"
    return "–" if value is None else str(value)
