"""Looks at everything biasloop leans on and says what to fix."""

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass

from biasloop.bootstrap import Biasloop
from biasloop.errors import BiasloopError

LOW_DISK = 2 * 1024**3
"""Bytes; below this a training may fill the disk."""


@dataclass
class Check:
    """One thing looked at. What is not `needed` is only told."""

    what: str
    ok: bool
    found: str
    needed: bool = True


def examine(biasloop: Biasloop) -> list[Check]:
    """All checks, in the order in which to fix them."""
    return [
        Check("settings", True, str(biasloop.workspace.folder / "biasloop.toml")),
        _check(
            "campaign",
            lambda: f"{biasloop.campaign.about.name}, policy {biasloop.campaign.policy.id}",
        ),
        _check("ledger", lambda: f"{len(biasloop.ledger.rounds.all())} rounds"),
        _check("pool", lambda: f"{len(biasloop.pool)} items"),
        _check("Label Studio and token", lambda: _label_studio(biasloop)),
        _disk(biasloop),
        _gpu(),
        _hub(),
    ]


def _check(what: str, look: Callable[[], str]) -> Check:
    try:
        return Check(what, True, look())
    except BiasloopError as error:
        return Check(what, False, str(error))


def _label_studio(biasloop: Biasloop) -> str:
    server = biasloop.label_studio.whoami()
    return f"{biasloop.label_studio_url}, version {server.version}, as {server.email}"


def _disk(biasloop: Biasloop) -> Check:
    free = shutil.disk_usage(biasloop.workspace.folder).free
    writable = os.access(biasloop.workspace.folder, os.W_OK)
    found = f"{free / 1024**3:.1f} GB free" + ("" if writable else ", but not writable")
    return Check("disk", writable and free > LOW_DISK, found)


def _gpu() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("GPU", True, torch.cuda.get_device_name(0), needed=False)
    return Check("GPU", False, "none; training and scoring run on the CPU", needed=False)


def _hub() -> Check:
    import httpx

    try:
        httpx.head("https://huggingface.co", timeout=3)
        return Check("model hub", True, "huggingface.co answers", needed=False)
    except (httpx.HTTPError, socket.gaierror):
        found = "huggingface.co does not answer; models must be local folders"
        return Check("model hub", False, found, needed=False)
