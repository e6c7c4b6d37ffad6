"""The signals that end a service."""

import subprocess
import sys
from signal import SIGINT, SIGTERM

import pytest

PATIENCE = 60
"""Seconds after which a test gives up; never a measure of anything."""

SERVICE = """
import signal
import threading
import time

from biasloop.cli.signals import stopped_by_signals

def take_the_signal():
    time.sleep(0.5)  # the main thread waits by then
    signal.pthread_kill(threading.get_ident(), {signal})
    time.sleep(3600)

with stopped_by_signals() as stop:
    threading.Thread(target=take_the_signal, daemon=True).start()
    stop.wait()
"""


@pytest.mark.parametrize("signal", [SIGINT, SIGTERM])
def test_a_signal_that_another_thread_gets_ends_the_service(signal: int) -> None:
    command = [sys.executable, "-c", SERVICE.format(signal=int(signal))]
    assert subprocess.run(command, timeout=PATIENCE, check=False).returncode == 0
