"""The composition root: makes all parts of an open workspace from its settings and folders.

Parts that are slow to import are imported where they are first used, so that a command loads only
what it needs.
"""

import os
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from biasloop.access.access import Access
from biasloop.domain.policy import Policy, PolicyAt, version_in_force
from biasloop.domain.round import Situation
from biasloop.errors import ConfigError
from biasloop.rounds.losses import LossDecision
from biasloop.rounds.situation import SituationReader
from biasloop.store.control import Bookmark
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool
from biasloop.workspace.campaign import Campaign, read_campaign
from biasloop.workspace.layout import Layout
from biasloop.workspace.secrets import read_secrets
from biasloop.workspace.settings import Settings
from biasloop.workspace.settings_file import digest_settings, read_settings

if TYPE_CHECKING:
    from biasloop.labelstudio.client import LabelStudioClient
    from biasloop.labelstudio.embedded import EmbeddedLabelStudio
    from biasloop.rounds.loop import Loop
    from biasloop.rounds.reconcile import Differences
    from biasloop.rounds.scheduler import Scheduler
    from biasloop.rounds.wiring import Steps


class Service:
    """A workspace with all its parts, each made when it is first used."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder.resolve())
        self.settings: Settings = read_settings(self.layout.folder)
        self._settings_digest = digest_settings(self.layout)
        self.owner = f"{socket.gethostname()}/{os.getpid()}/{token_hex(3)}"

    def close(self) -> None:
        """Closes the connections that were opened; a part that is used again opens its own."""
        vars(self).pop("_situation_reader", None)
        for part in ("label_studio", "ledger"):
            if opened := vars(self).pop(part, None):
                opened.close()

    @cached_property
    def campaign(self) -> Campaign:
        """The campaign of this workspace."""
        return read_campaign(self.layout.campaign)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, at the newest schema."""
        ledger = Ledger(self.settings.ledger_url or self.layout.ledger_url)
        ledger.migrate()
        return ledger

    @cached_property
    def pool(self) -> ArrowPool:
        """The pool."""
        return ArrowPool(self.layout.pool)

    @cached_property
    def access(self) -> Access:
        """The way in for people: their links and sessions."""
        return Access(self.ledger.people, self.settings.gateway.link_days)

    # --- Label Studio --------------------------------------------------------------------------

    @property
    def label_studio_url(self) -> str:
        """The URL of Label Studio; that of the embedded one even before it is started."""
        settings = self.settings.labelstudio
        return settings.url or f"http://127.0.0.1:{settings.port}"

    @cached_property
    def label_studio(self) -> "LabelStudioClient":
        """A client of Label Studio. Raises ConfigError without a token, LabelStudioError when Label
        Studio cannot be reached or refuses it."""
        from biasloop.labelstudio.client import LabelStudioClient

        token = read_secrets(self.layout.folder).get("LABEL_STUDIO_TOKEN")
        if token is None:
            raise ConfigError(
                "no Label Studio token: set BIASLOOP_LABEL_STUDIO_TOKEN, or put "
                f"LABEL_STUDIO_TOKEN=… into {self.layout.folder / 'secrets'}"
            )
        return LabelStudioClient(
            self.label_studio_url,
            token.get_secret_value(),
            self.campaign.controls,
            self.ledger.control.bookmark(Bookmark.PROJECT),
            self.settings.labelstudio.timeout_seconds,
        )

    @property
    def current_policy(self) -> Policy:
        """The policy in force; before there is one, that of the campaign folder."""
        return self.ledger.policies.current() or self.campaign.policy

    def adopt_campaign_policy(self) -> Policy:
        """Brings the policy of the campaign folder into force and returns it. A service does so
        when it starts, so that the author of the file decides when a change takes effect."""
        policy = self.campaign.policy
        self.ledger.policies.add(policy, datetime.now(UTC))
        return policy

    def ensure_project(self) -> int:
        """Finds our project in Label Studio or creates it, shows the guideline in force there, and
        returns the id of the project."""
        return self.show_guideline(self.ledger.policies.current() or self.adopt_campaign_policy())

    def show_guideline(self, policy: Policy) -> int:
        """Shows the guideline of this policy to annotators in Label Studio; creates our project if
        it does not exist, and returns its id."""
        campaign = self.campaign
        project = self._project_client().ensure_project(
            campaign.about.title,
            campaign.label_config,
            policy.text,
            prelabels=self.settings.llm.prelabel,
        )
        if self.ledger.control.bookmark(Bookmark.PROJECT) != project:
            self.ledger.control.set_bookmark(Bookmark.PROJECT, project)
        return project

    def _project_client(self) -> "LabelStudioClient":
        """The client, at the project that the ledger names: another process may have made one."""
        self.label_studio.use_project(self.ledger.control.bookmark(Bookmark.PROJECT))
        return self.label_studio

    def embedded(self, log: Callable[[str], None]) -> "EmbeddedLabelStudio":
        """The Label Studio that biasloop starts itself; `log` is called with each of its lines."""
        from biasloop.labelstudio.embedded import EmbeddedLabelStudio

        settings = self.settings.labelstudio
        secrets = read_secrets(self.layout.folder)
        return EmbeddedLabelStudio(
            Path(settings.venv or f"{sys.prefix}-labelstudio"),
            self.layout.labelstudio,
            settings.port,
            email=settings.email,
            password=secrets["LABEL_STUDIO_PASSWORD"].get_secret_value(),
            token=secrets["LABEL_STUDIO_TOKEN"].get_secret_value(),
            on_line=log,
        )

    # --- the loop ------------------------------------------------------------------------------

    @cached_property
    def steps(self) -> "Steps":
        """The steps of a round with their parts filled in. Raises UnknownName or ConfigError when
        a plug-in that the settings name cannot be built."""
        from biasloop.rounds.wiring import Steps
        from biasloop.service.plugins import (
            build_expanders,
            build_strategy,
            check_classifier,
            expander_options,
        )

        settings = self.settings
        options = expander_options(settings, self.layout)
        steps = Steps(
            layout=self.layout,
            settings=settings,
            campaign=self.campaign,
            ledger=self.ledger,
            pool=self.pool,
            expanders=build_expanders(settings, options),
            expander_options=options,
            strategy=build_strategy(settings),
            label_studio=lambda: self.label_studio,
            situation=self.situation,
            ensure_project=self.ensure_project,
        )
        check_classifier(steps.lookups.recipe, self.campaign.scheme)
        return steps

    @cached_property
    def loop(self) -> "Loop":
        """The loop of this workspace."""
        from biasloop.rounds.loop import Loop, Retry

        scheduler = self.settings.scheduler
        return Loop(
            self.ledger,
            self.steps.table(),
            self.settings.opening,
            self.situation,
            owner=self.owner,
            retry=Retry(
                timedelta(seconds=scheduler.lease_seconds),
                scheduler.retry_base_seconds,
                scheduler.retry_cap_seconds,
            ),
        )

    def situation(self, now: datetime) -> Situation:
        """What the decision to open a round depends on."""
        rule = self.settings.stopping.mode == "rule"
        return self._situation_reader.read(now, stop_by_rule=rule)

    @cached_property
    def _situation_reader(self) -> SituationReader:
        return SituationReader(self.ledger, self.pool, self.layout.pool)

    def poll(self) -> int:
        """One poll; see biasloop.rounds.poll."""
        from biasloop.rounds.poll import poll

        if self.ledger.control.bookmark(Bookmark.PROJECT) is None:
            self.ensure_project()
        return poll(
            self.ledger,
            self._project_client(),
            self.pool,
            self.campaign.controls,
            self._policy_at(),
            self.settings.vote_plan,
            datetime.now(UTC),
        )

    def _policy_at(self) -> PolicyAt:
        return partial(version_in_force, self.ledger.policies.history())

    def reconcile(self, losses: LossDecision = LossDecision.ASK) -> "Differences":
        """A full comparison with Label Studio; see biasloop.rounds.reconcile."""
        from biasloop.rounds.reconcile import reconcile

        self.ensure_project()
        return reconcile(
            self.ledger,
            self.label_studio,
            self.pool,
            self.campaign.controls,
            self._policy_at(),
            self.settings.vote_plan,
            losses=losses,
        )

    def spare_child(self) -> AbstractContextManager[None]:
        """Keeps a child process with its imports done ready for the next job within the block."""
        from biasloop.plugins.registry import Kind, plugin
        from biasloop.rounds.spare import spare_child

        classifier = plugin(Kind.CLASSIFIER, self.settings.classifier.name)
        return spare_child([classifier.target.partition(":")[0]])

    def scheduler(self, log: Callable[[str], None]) -> "Scheduler":
        """The scheduler of this workspace; it calls `log` with a line for everything that
        happens."""
        from biasloop.rounds.scheduler import Scheduler

        return Scheduler(
            self.ledger,
            self.loop.tick,
            self.poll,
            self.reconcile,
            self.settings.scheduler,
            self.owner,
            log,
            lambda: self.ledger.control.set_bookmark(Bookmark.SETTINGS, self._settings_digest),
        )
