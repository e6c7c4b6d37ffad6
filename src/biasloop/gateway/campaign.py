"""What the gateway knows of the campaign."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from hmac import digest

from biasloop.domain.person import Person
from biasloop.domain.policy import Policy
from biasloop.gateway.words import words_of
from biasloop.reports.queue import QueueState, queue_state
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.web.cached import Cached
from biasloop.workspace.secrets import access_key

FRESH_SECONDS = 2.0
"""For how long what was read from the ledger is shown to everyone who asks."""


class CampaignView:
    """The campaign as annotators see it; what the ledger says is read at most every
    FRESH_SECONDS."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.language = service.campaign.about.language
        self.controls = service.campaign.controls
        self.words: Mapping[str, str] = words_of(self.language)
        control = service.ledger.control
        self.project: Callable[[], int | None] = Cached(
            lambda: control.bookmark(Bookmark.PROJECT), FRESH_SECONDS
        )
        self.queue: Callable[[], QueueState] = Cached(
            lambda: queue_state(service, datetime.now(UTC)), FRESH_SECONDS
        )
        self.policy: Callable[[], Policy] = Cached(lambda: service.current_policy, FRESH_SECONDS)

    def policy_shown_to(self, person: Person) -> Policy | None:
        """The version of the guideline that somebody was shown last; None if none was."""
        versions = (policy for _, policy in self._service.ledger.policies.all())
        return next((policy for policy in versions if policy.id == person.policy_id), None)

    def password_of(self, person: Person) -> str:
        """The password of somebody's account in Label Studio. It is computed, not stored."""
        return digest(self._key, person.id.encode(), sha256).hex()

    @cached_property
    def _key(self) -> bytes:
        return access_key(self._service.layout.folder).encode()
