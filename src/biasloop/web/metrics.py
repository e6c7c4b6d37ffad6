"""What Prometheus reads: gauges made from the overview at every scrape."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from biasloop.domain.round import PauseState, State
from biasloop.reports.status import OpenTasks, Overview


def metrics_registry(overview: Callable[[], Overview]) -> CollectorRegistry:
    """A registry with our gauges only: none about the process or Python."""
    # Not described on registration: the ledger may not be ready to be read yet.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges(overview))
    return registry


class _Gauges(Collector):
    def __init__(self, overview: Callable[[], Overview]) -> None:
        self._overview = overview

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = self._overview()
        rounds = now.rounds
        yield _by(
            "rounds", "Rounds by state.", "state",
            {state: sum(r.state == state for r in rounds) for state in State},
        )  # fmt: skip
        yield _by(
            "loop", "1 for the state of the loop: running, draining or paused.", "state",
            {state: int(now.loop == state) for state in PauseState},
        )  # fmt: skip
        yield _one("service_running", "1 while a service runs the loop.", now.service.running)
        yield _one(
            "failed_attempts",
            "Consecutive failures of the current steps, summed over live rounds.",
            sum(r.attempts for r in rounds if not r.over),
        )
        yield _by("labelled_items", "Labelled items by source.", "source", now.labels)
        yield _by("open_tasks", "Tasks that wait for people.", "arm", _open(now.open_tasks))
        yield _one("set_aside", "Annotations that do not count.", len(now.set_aside))
        yield _by("pool_items", "Items in the pool by origin.", "origin", now.pool.by_origin)
        yield _one("asked_items", "Items people were asked about.", now.budget.asked)
        yield _one("budget_items", "Items people may be asked about.", now.budget.of)
        yield _one(
            "labelstudio_trouble",
            "1 while Label Studio cannot be polled.",
            now.label_studio.trouble is not None,
        )
        yield _one(
            "answers_lost",
            "1 while many answers are gone from Label Studio and nobody has decided.",
            now.label_studio.lost is not None,
        )
        yield _one(
            "unreadable_tasks",
            "Tasks with an answer that Label Studio cannot list.",
            len(now.label_studio.unreadable),
        )
        if now.last_label_at is not None:
            yield _one(
                "last_label_timestamp_seconds",
                "When a person last labelled; time() minus this is the age.",
                now.last_label_at.timestamp(),
            )
        measured = [point.micro_f1 for point in now.curve if point.micro_f1 is not None]
        if measured:
            text, micro = "Micro F1 on audit items, newest model.", asdict(measured[-1])
            yield _by("audit_micro_f1", text, "bound", micro)
        savings = now.savings
        if savings and savings["points"]:
            ahead = savings["points"][-1]["difference"]
            text = "Micro F1 with acquired labels, minus micro F1 with as many random ones."
            yield _by("acquired_ahead_micro_f1", text, "bound", ahead)
        if savings and savings["saved"]:
            text = "Share of labels that acquisition saves, compared with random."
            yield _by("labels_saved_ratio", text, "bound", savings["saved"])


def _open(tasks: OpenTasks) -> dict[str, int]:
    return {"audit": tasks.audit, "other": tasks.all - tasks.audit}


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"biasloop_{name}", text, value=float(value))


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"biasloop_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family
