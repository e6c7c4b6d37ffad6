"""A gateway in front of the real Label Studio, with a batch to label."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from biasloop.domain.round import State
from biasloop.service.service import Service
from support.gateway import Gateway, gateway_of
from support.labelstudio_server import Server
from support.ports import free_port
from support.served import copy, put_on, step_until

BATCH = 6


@pytest.fixture
def service(tiny: Path, tmp_path: Path, label_studio_server: Server) -> Iterator[Service]:
    """A workspace whose first batch is with people, who come through the gateway."""
    settings = {
        "loop": {"batch_size": BATCH, "low_water": 0, "budget": 3 * BATCH, "audit_block": 2},
        "gateway": {"with_serve": True, "port": free_port()},
    }
    with put_on(label_studio_server, copy(tiny, tmp_path / "workspace"), **settings) as made:
        step_until(made, State.PUSHED)
        yield made


@pytest.fixture
def gateway(service: Service) -> Iterator[Gateway]:
    """The gateway of that workspace."""
    with gateway_of(service) as running:
        yield running


@pytest.fixture
def link(gateway: Gateway) -> str:
    """A personal link of somebody new."""
    return gateway.link(f"{uuid4().hex[:8]}@example.org")
