"""Turns reports into what the page shows. Pure: no clock, no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import unified_diff
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

from markupsafe import Markup

from biasloop.domain.measure.resample import Interval
from biasloop.domain.round import STEPS, PauseState
from biasloop.reports.curve import CurvePoint
from biasloop.reports.rounds import RoundReport

Measure = Interval | Mapping[str, float]
"""A measured value with its bounds, as reports or the ledger have it."""

STEP_NAMES = tuple(step for step, _ in STEPS.values())
DOING = {
    "expand": "making synthetic items",
    "score": "scoring the pool",
    "select": "choosing the batch",
    "push": "sending the batch to Label Studio",
    "pull": "waiting for people to label",
    "aggregate": "computing the consensus of the votes",
    "train": "training a model",
    "evaluate": "measuring the model on audit items",
    "close": "cleaning up",
}


@dataclass(frozen=True, slots=True)
class Doing:
    """What a live round is doing."""

    kind: Literal["runs", "waits", "failed", "paused"]
    text: str
    retry_at: datetime | None = None
    """When a failed step is tried again."""


def doing(round_: RoundReport, loop: PauseState) -> Doing:
    """What a round that is not over is doing, in words."""
    step = round_.step
    if round_.error:
        times = "once" if round_.attempts == 1 else f"{round_.attempts} times"
        retry_at = None if loop is PauseState.PAUSED else round_.retry_at
        return Doing("failed", f"{step} failed {times}: {round_.error}", retry_at)
    if round_.waits_for:
        return Doing("waits", round_.waits_for)
    if loop is PauseState.PAUSED:
        return Doing("paused", f"{step} is next; the loop is paused")
    assert step is not None  # it is not over
    return Doing("runs", DOING[step])


def progress(step: str) -> list[tuple[str, str]]:
    """(step, "done", "now" or "later") for every step of a round."""
    current = STEP_NAMES.index(step)
    return [
        (name, "done" if i < current else "now" if i == current else "later")
        for i, name in enumerate(STEP_NAMES)
    ]


def curve_plot(curve: Sequence[CurvePoint]) -> dict[str, Any] | None:
    """The learning curve, as data for the page's script; None before anything was measured."""
    points = [
        _point(
            point.labels,
            point.micro_f1,
            f"<b>round {point.round}, model {point.model}</b><br>micro F1 ",
            f"<br>{point.labels} human labels, n = {point.audit_items} audit items",
        )
        for point in curve
        if point.micro_f1 is not None
    ]
    return _plot("human labels", {"": points}) if points else None


def savings_plot(savings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The learning curves of the two arms, as data for the page's script; None without any."""
    lines = {
        arm: [
            _point(at["labels"], at[arm], f"<b>{at['labels']} {arm} labels</b><br>micro F1 ", "")
            for at in savings["points"]
        ]
        for arm in ("acquired", "random")
    }
    return _plot("labels learned from", lines) if savings["points"] else None


def _point(x: int, measure: Measure, before: str, after: str) -> dict[str, Any]:
    value, low, high = _bounds(measure)
    hover = f"{before}{value:.2f} ({low:.2f}–{high:.2f}){after}"
    return {"x": x, "y": value, "low": low, "high": high, "hover": hover}


def _plot(x: str, lines: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    named = [{"name": name, "points": points} for name, points in lines.items()]
    return {"x": x, "y": "micro F1", "lines": named}


@lru_cache(maxsize=8)
def diff(old: str, new: str) -> list[tuple[str, str]]:
    """("gone", "new", "same" or "place", line) of what changed between two texts, with two lines
    of context; each hunk begins with its place."""
    kinds = {"-": "gone", "+": "new", "@": "place"}
    lines = unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    return [
        (kinds.get(line[0], "same"), line if line[0] == "@" else line[1:])
        for line in islice(lines, 2, None)  # after the names of the two files
    ]


def task_url(server: str, project: int | None, task: int | None = None) -> str:
    """Our project in Label Studio, or one of its tasks."""
    base = server.rstrip("/")
    if project is None:
        return base
    query = "" if task is None else f"?task={task}"
    return f"{base}/projects/{project}/data{query}"


# --- filters -----------------------------------------------------------------------------------


def when(moment: datetime | None, kind: str = "day") -> Markup:
    """A moment in UTC; the page's script converts it to the reader's zone. `kind`: day or clock."""
    if moment is None:
        return Markup("–")
    moment = moment.astimezone(UTC)
    return Markup('<time class="{}" datetime="{}">{}</time>').format(
        kind, moment.isoformat(timespec="seconds"), f"{moment:%Y-%m-%d %H:%M} UTC"
    )


def interval(measure: Measure | None) -> Markup:
    """A measured value with its bounds; a dash if it could not be measured."""
    if measure is None:
        return Markup('<span class="none">–</span>')
    bounds = _bounds(measure)
    separator = " to " if bounds[1] < 0 else "–"
    value, low, high = _numbers(bounds, ".2f")
    return Markup("<b>{}</b> <small>{}{}{}</small>").format(value, low, separator, high)


def change(measure: Measure | None) -> Markup:
    """A difference with its sign and bounds."""
    if measure is None:
        return Markup('<span class="none">–</span>')
    return Markup("<b>{}</b> <small>{} to {}</small>").format(*_numbers(_bounds(measure), "+.2f"))


def percent(measure: Measure) -> Markup:
    """A share with its bounds, in percent."""
    shares = [100 * share for share in _bounds(measure)]
    return Markup("<b>{} %</b> <small>{} to {} %</small>").format(*_numbers(shares, ".0f"))


def hours(measure: Measure) -> Markup:
    """A time with its bounds, in hours."""
    numbers = _numbers(_bounds(measure), ".1f")
    return Markup("<b>{} hours</b> <small>{} to {}</small>").format(*numbers)


def _bounds(measure: Measure) -> tuple[float, float, float]:
    """Value, lower and upper bound."""
    if isinstance(measure, Interval):
        return measure.value, measure.low, measure.high
    return measure["value"], measure["low"], measure["high"]


def _numbers(values: Iterable[float], spec: str) -> list[str]:
    """Numbers with a real minus sign."""
    return [format(value, spec).replace("-", "−") for value in values]


def pairs(data: Mapping[str, Any]) -> str:
    """An event's data on one line."""
    return ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in data.items())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({pairs(value)})"
    return "–" if value is None else str(value)
