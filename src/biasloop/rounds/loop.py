"""tick(): claim a round, run its step, commit what it returned (R2)."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from biasloop.domain.round import (
    Claim,
    OpeningRules,
    Outcome,
    PauseState,
    Round,
    Situation,
    Wait,
    reason_not_to_open,
    retry_delay,
)
from biasloop.errors import BiasloopError, LedgerError, LostLease, describe_error
from biasloop.rounds.child import Heartbeat
from biasloop.store.ledger import Ledger

logger = logging.getLogger(__name__)

Step = Callable[[Round, Heartbeat], Outcome]
"""A step with everything but the round and its heartbeat filled in."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How long a claim lasts without a heartbeat, and the wait after a failure: it doubles from
    `retry_base` to `retry_cap` seconds."""

    lease: timedelta
    retry_base: float
    retry_cap: float


class Loop:
    """Runs the rounds of one ledger, a step per tick. Two loops on one ledger never run the same
    step at the same time."""

    def __init__(
        self,
        ledger: Ledger,
        steps: Mapping[str, Step],
        opening: OpeningRules,
        situation: Callable[[datetime], Situation],
        *,
        owner: str,
        retry: Retry,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._steps = steps
        self._opening = opening
        self._situation = situation
        self._owner = owner
        self._retry = retry
        self._clock = clock

    def tick(self) -> str | None:
        """Opens a round if one is due and runs one due step. Returns a line that says what
        happened, or None if nothing did.

        A step that fails is recorded on its round and runs again later. Raises nothing but the
        ledger's own errors.
        """
        now = self._clock()
        if self._ledger.control.pause_state() is PauseState.PAUSED:
            return None
        report = self._open(now)
        # A round that only waits for annotators must not keep the others from their turn.
        while claim := self._ledger.rounds.claim(
            now, self._owner, self._clock() + self._retry.lease
        ):
            if report := self._run(claim):
                break
        return report

    def _open(self, now: datetime) -> str | None:
        if reason_not_to_open(self._opening, self._situation(now)) is not None:
            return None
        opened = self._ledger.rounds.open({}, now)
        return f"round {opened.id}: opened" if opened else None

    def _run(self, claim: Claim) -> str | None:
        round_, step = claim.round, claim.round.step or ""

        def heartbeat() -> None:
            self._ledger.rounds.renew(claim, self._clock() + self._retry.lease)

        try:
            with self._heartbeats(heartbeat):
                outcome = self._steps[step](round_, heartbeat)
            if isinstance(outcome, Wait):
                self._ledger.rounds.wait(claim, outcome)
                return None
            self._ledger.rounds.commit(claim, outcome, self._clock())
        except LostLease as error:
            return str(error)
        except Exception as error:  # a fault in one step must not end the service
            if not isinstance(error, BiasloopError):
                logger.exception("round %s: step %s failed", round_.id, step)
            return self._fail(claim, error)
        return f"round {round_.id}: {step} done"

    @contextmanager
    def _heartbeats(self, heartbeat: Heartbeat) -> Iterator[None]:
        """Renews the lease while a step runs: a slow server or a large pool may take longer than
        a lease lasts."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(self._retry.lease.total_seconds() / 3):
                try:
                    heartbeat()
                except LostLease:
                    return  # the commit will find out
                except LedgerError as error:
                    logger.warning("the lease could not be renewed: %s", error)

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _fail(self, claim: Claim, error: Exception) -> str:
        now = self._clock()
        delay = retry_delay(claim.round.attempts + 1, self._retry.retry_base, self._retry.retry_cap)
        reason = describe_error(error)
        try:
            self._ledger.rounds.fail(claim, reason, now + delay, now)
        except LostLease as lost:
            return str(lost)
        seconds = delay.total_seconds()
        return (
            f"round {claim.round.id}: {claim.round.step} failed, again in {seconds:.0f} s: {reason}"
        )
