"""Examines everything that biasloop depends on, and says what to fix."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from biasloop.errors import BiasloopError, LabelStudioDown
from biasloop.foreign import BadAnswer, hide_password, limit_answers
from biasloop.reports.gpu import judge_gpu, read_gpu_facts
from biasloop.reports.liveness import service_report, start_command
from biasloop.service.plugins import (
    build_expanders,
    build_strategy,
    expander_options,
    try_classifier,
)
from biasloop.service.service import Service
from biasloop.workspace.campaign import check_campaign
from biasloop.workspace.server_settings import is_loopback

LOW_DISK = 2 * 1024**3
"""Free bytes; with fewer, a training may fill the disk."""
PROBE_BYTES = 2**20
"""Bytes written to test whether writing works."""
HUB = "https://huggingface.co"
HUB_SECONDS = 3.0
HUB_BYTES = 2**20
"""Longest time and largest answer when the hub is asked whether it is there."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked. If it is not `needed`, a failure is only mentioned."""

    what: str
    ok: bool
    found: str
    needed: bool = True


def examine(service: Service) -> list[Check]:
    """All checks, in the order in which to fix them."""
    return [
        Check("settings", True, str(service.layout.folder / "biasloop.toml")),
        _check("campaign", lambda: _campaign(service)),
        _check("ledger", lambda: f"{len(service.ledger.rounds.all())} rounds"),
        _check("pool", lambda: f"{len(service.pool)} items"),
        *_plugins(service),
        _model(service),
        _loop(service),
        _label_studio(service),
        *_gateway(service),
        _language_model(service),
        _disk(service),
        _gpu(),
        _hub(),
    ]


def _check(what: str, examine_part: Callable[[], str]) -> Check:
    try:
        return Check(what, True, examine_part())
    except BiasloopError as error:
        return Check(what, False, str(error))


def _campaign(service: Service) -> str:
    campaign = service.campaign
    check_campaign(campaign)
    return f"{campaign.about.name}, policy {campaign.policy.id}"


def _plugins(service: Service) -> list[Check]:
    """What the settings name is built as a round builds it, and a pretrained model is opened."""
    settings = service.settings

    def expanders() -> str:
        build_expanders(settings, expander_options(settings, service.layout))
        return ", ".join(settings.expander.names) or "none"

    def strategy() -> str:
        build_strategy(settings)
        return settings.strategy.name

    def classifier() -> str:
        steps = service.steps
        try_classifier(steps.lookups.recipe, steps.strategy)
        return settings.classifier.name

    checks = [_check("expanders", expanders), _check("strategy", strategy)]
    if all(check.ok for check in checks):  # the classifier's options follow from the strategy
        checks.append(_check("classifier", classifier))
    return checks


def _model(service: Service) -> Check:
    what = "model in service"
    try:
        if service.ledger.models.in_service() is None:
            return Check(what, False, "none yet; `biasloop train` trains one", needed=False)
        from biasloop.service.models import in_service

        model, _ = in_service(service)
    except BiasloopError as error:
        return Check(what, False, str(error))
    return Check(what, True, model.id)


def _loop(service: Service) -> Check:
    what = "service"
    try:
        report = service_report(service, datetime.now(UTC))
    except BiasloopError as error:
        return Check(what, False, str(error))
    if report.running:
        return Check(what, True, f"{report.process} runs the loop")
    found = f"nothing runs; `{start_command(service)}` starts it"
    return Check(what, False, found, needed=False)


def _label_studio(service: Service) -> Check:
    what = "Label Studio and token"
    try:
        server = service.label_studio.whoami()
    except LabelStudioDown as error:
        if service.settings.labelstudio.url or service_report(service, datetime.now(UTC)).running:
            return Check(what, False, str(error))
        return Check(what, False, "not running; `biasloop up` starts it", needed=False)
    except BiasloopError as error:
        return Check(what, False, str(error))
    url = hide_password(service.label_studio_url)
    account = f"{url}, version {server.version}, as {server.email}"
    return Check(what, True, account)


def _gateway(service: Service) -> list[Check]:
    """Whether others can read what annotators send, or go around the gateway."""
    what, settings = "gateway", service.settings
    if not settings.has_gateway:
        return []
    try:
        settings.gateway.check()
    except BiasloopError as error:
        return [Check(what, False, str(error))]
    url = settings.labelstudio.url
    if url and not is_loopback(urlsplit(url).hostname or ""):
        found = (
            f"it protects nothing from people who can reach {hide_password(url)} themselves; let "
            "only this machine reach that server (docs/gateway.md)"
        )
        return [Check(what, False, found)]
    return [Check(what, True, f"people come to {settings.gateway.address}")]


def _language_model(service: Service) -> Check:
    what, settings = "language model", service.settings.llm
    if not settings.base_url and "llm" not in service.settings.expander.names:
        return Check(
            what,
            False,
            "none is set, so expansion is by rewriting only; `biasloop llm use URL MODEL` sets one",
            False,
        )
    try:
        settings.require()
        from biasloop.workspace.language_model import (
            open_model,  # slow to import
        )

        with closing(open_model(service.layout, settings, "doctor")) as model:
            ability = model.probe()
    except BiasloopError as error:
        return Check(what, False, str(error))
    structured = "answers by JSON schema" if ability.schema else "without structured output"
    return Check(what, True, f"{hide_password(settings.base_url)}, {settings.model}, {structured}")


def _disk(service: Service) -> Check:
    folder = service.layout.folder
    free = shutil.disk_usage(folder).free
    space = f"{free / 1024**3:.1f} GB free"
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x" * PROBE_BYTES)
    except OSError as error:
        space += f", but {folder} cannot be written: {error.strerror}; check permissions and quota"
        return Check("disk", False, space)
    if free < LOW_DISK:
        return Check("disk", False, f"{space}; a training may need {LOW_DISK / 1024**3:.0f} GB")
    return Check("disk", True, space)


def _gpu() -> Check:
    ok, found = judge_gpu(read_gpu_facts())
    return Check("GPU", ok, found, needed=False)


def _hub() -> Check:
    """Whether the hub answers from which transformers would load a model."""
    import httpx

    url = os.environ.get("HF_ENDPOINT") or HUB
    name = hide_password(url).removeprefix("https://")
    with httpx.Client(timeout=HUB_SECONDS) as http:
        limit_answers(http, seconds=HUB_SECONDS, size=HUB_BYTES, byte_stream=httpx.ByteStream)
        try:
            http.head(url)
        except (httpx.HTTPError, httpx.InvalidURL, socket.gaierror, BadAnswer):
            trouble = f"{name} does not answer; models must be local folders"
            return Check("model hub", False, trouble, needed=False)
    return Check("model hub", True, f"{name} answers", needed=False)
