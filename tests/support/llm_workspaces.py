"""Workspaces whose language model is a scripted one behind a real HTTP server."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Item, Origin
from biasloop.domain.label import LabelSource
from biasloop.domain.round import Done
from biasloop.rounds.child import no_heartbeat
from biasloop.service.service import Service

TINY = Path(__file__).parents[1] / "campaigns" / "tiny"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def point_to(workspace: Path, url: str, texts: int = 12, **llm: Any) -> Path:
    """Settings of a workspace that expands with the model at `url`."""
    llm = {"base_url": url, "model": "scripted", "patience_seconds": 1, "timeout_seconds": 5} | llm
    lines = [
        "seed = 0",
        "[expander]",
        'names = ["counterfactual", "llm"]',
        "[expander.options.llm]",
        f"texts = {texts}",
        "[llm]",
        *(f"{name} = {json.dumps(value)}" for name, value in llm.items()),
    ]
    (workspace / "biasloop.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return workspace


def expand(service: Service) -> Done:
    """One expansion, in a real child process, committed."""
    done = service.steps.expand(None, no_heartbeat)
    service.ledger.add(done.records, NOW)
    return done


def synthesis(done: Done) -> dict[str, Any]:
    """What the record says of the language model's part."""
    found: dict[str, Any] = done.facts["synthesis"]["llm"]
    return found


def written(service: Service) -> list[Item]:
    """The language model's items in the pool."""
    items = service.pool.items(range(len(service.pool)))
    return [item for item in items if item.operation.startswith("llm:")]


def label_as_people(service: Service, items: Sequence[Item], labels: tuple[str, ...]) -> None:
    """Records what people say of items."""
    service.ledger.record(
        [
            Annotation(
                key=f"ls:{item.id}",
                item_id=item.id,
                source=LabelSource.HUMAN,
                standing=Standing.VOTE,
                labels=labels,
                asked=service.campaign.scheme.labels,
                policy_id="p",
                annotator="anna@example.org",
                at=NOW,
            )
            for item in items
        ]
    )


def real_items(service: Service) -> list[Item]:
    """The items of imported ads."""
    items = service.pool.items(range(len(service.pool)))
    return [item for item in items if item.origin is Origin.REAL]
