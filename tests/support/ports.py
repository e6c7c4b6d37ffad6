"""Ports of loopback for tests."""

import os
import random
import socket

FIRST, LAST = map(int, os.environ.get("TEST_PORTS", "20000-29999").split("-"))
"""Where ports are drawn from: below those that Linux gives to clients, and in `make test` a range
of its own for each lane, so that no other test takes a port between its draw and its use."""

_chance = random.Random()
_drawn: set[int] = set()


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment, and another one at each call."""
    while True:
        port = _chance.randint(FIRST, LAST)
        if port in _drawn:
            continue
        _drawn.add(port)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
