"""Every kind of request meets every kind of fault once: nothing is lost, nothing doubled."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from biasloop.domain.label import LabelSource
from biasloop.domain.round import State
from biasloop.errors import LabelStudioDown
from biasloop.service.service import Service
from support import faults
from support.faults import Once
from support.labelstudio_server import Server
from support.proxy import Fault, Proxy, proxy_of
from support.served import assert_known, copy, label_open, put_on, state, tasks_of, wait_until

BATCH = 6
PATIENCE = 3.0
"""Seconds until the client gives up on an answer."""
SETTINGS = {
    "loop": {"batch_size": BATCH, "low_water": 0, "budget": BATCH, "audit_block": 2},
    "labelstudio": {"timeout_seconds": PATIENCE},
}


@pytest.fixture
def proxy(label_studio_server: Server) -> Iterator[Proxy]:
    with proxy_of(label_studio_server.url) as made:
        yield made


def voted(service: Service) -> list[str]:
    """The items of all human annotations."""
    found = service.ledger.annotations()
    return sorted(a.item_id for a in found if a.source is LabelSource.HUMAN)


def polled_until(service: Service, reached: Callable[[], bool]) -> None:
    """Polls and ticks, whatever Label Studio answers."""

    def turn() -> bool:
        with suppress(LabelStudioDown):
            service.poll()
        if not reached():
            service.loop.tick()
        return reached()

    wait_until(turn, lambda: str(service.ledger.rounds.all()))


@pytest.mark.parametrize(
    "fault",
    faults.all_faults(PATIENCE),
    ids=lambda fault: fault.__qualname__.partition(".")[0],
)
def test_the_loop_survives(
    fault: Fault, tiny: Path, tmp_path: Path, label_studio_server: Server, proxy: Proxy
) -> None:
    workspace = copy(tiny, tmp_path / "workspace")
    with put_on(label_studio_server, workspace, url=proxy.url, **SETTINGS) as service:
        proxy.any = once = Once(fault)
        polled_until(service, lambda: state(service) is State.PUSHED)
        assert label_open(service, label_studio_server) == BATCH
        batch = sorted(s.item_id for _, s in service.ledger.selections())
        polled_until(service, lambda: voted(service) == batch)
        assert {method for method, _ in once.met} >= {"GET", "POST", "PATCH"}
        assert tasks_of(service) == [(item, 1) for item in batch]
        assert_known(service, batch)
