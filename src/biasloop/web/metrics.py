"""What Prometheus reads: gauges made from the overview at every scrape."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from biasloop.domain.round import PauseState, State
from biasloop.reports.status import OpenTasks, Overview


def metrics_registry(overview: Callable[[], Overview]) -> CollectorRegistry:
    """A registry of its own, so that nothing else of the process is shown."""
    # Without a first look at the gauges, which the ledger may not be ready for yet.
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
            "loop", "1 for what the loop is told to do.", "state",
            {state: int(now.loop == state) for state in PauseState},
        )  # fmt: skip
        yield _one(
            "failed_attempts",
            "Failures in a row of the present steps, over live rounds.",
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
        if now.last_label_at is not None:
            yield _one(
                "last_label_timestamp_seconds",
                "When a person last labelled; time() minus this is the age.",
                now.last_label_at.timestamp(),
            )
        measured = [point.micro_f1 for point in now.curve if point.micro_f1 is not None]
        if measured:
            says, micro = "Micro F1 on audit items, newest model.", asdict(measured[-1])
            yield _by("audit_micro_f1", says, "bound", micro)
        savings = now.savings
        if savings and savings["points"]:
            ahead = savings["points"][-1]["difference"]
            says = "Micro F1 of acquired labels less that of as many random ones."
            yield _by("acquired_ahead_micro_f1", says, "bound", ahead)
        if savings and savings["saved"]:
            says = "Share of labels that acquisition saves against random."
            yield _by("labels_saved_ratio", says, "bound", savings["saved"])


def _open(tasks: OpenTasks) -> dict[str, int]:
    return {"audit": tasks.audit, "other": tasks.all - tasks.audit}


def _one(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"biasloop_{name}", says, value=float(value))


def _by(name: str, says: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"biasloop_{name}", says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family
