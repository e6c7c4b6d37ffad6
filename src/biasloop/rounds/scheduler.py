"""APScheduler jobs that tick and poll. They keep no schedule of rounds: the ledger says what is
due."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Self, TypeVar

from apscheduler.schedulers.background import BackgroundScheduler

from biasloop.domain.round import PauseState, State, retry_delay
from biasloop.errors import BiasloopError, describe_error
from biasloop.rounds.losses import describe_losses
from biasloop.rounds.reconcile import Differences
from biasloop.store.control import SCHEDULER_LEASE, Bookmark, Event
from biasloop.store.ledger import Ledger
from biasloop.workspace.settings import SchedulerSettings

T = TypeVar("T")
logger = logging.getLogger(__name__)

POLL_CAP = 60.0
"""Longest wait after a failed poll, in seconds: annotators notice when labels do not arrive."""

ORDERS = frozenset({State.CANCELLED, Event.TAKEN_DOWN, *PauseState})
"""Kinds of events that people bring about while the loop runs."""

CLOCK_SLACK = 1.0
"""Seconds by which the clock may be set back without any effect."""


class Scheduler:
    """Ticks and polls in background threads while it holds the lease of the ledger.

    A second scheduler on the same ledger stands by and takes over when the lease ends.
    `log` is called with a line for everything that happens, `on_lead` whenever this scheduler
    becomes the one that works.
    """

    def __init__(
        self,
        ledger: Ledger,
        tick: Callable[[], str | None],
        poll: Callable[[], int],
        reconcile: Callable[[], Differences],
        settings: SchedulerSettings,
        owner: str,
        log: Callable[[str], None],
        on_lead: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._tick = tick
        self._poll = poll
        self._reconcile = reconcile
        self._settings = settings
        self._owner = owner
        self._log = log
        self._on_lead = on_lead
        self._leading = threading.Event()
        self._told = 0  # sequence number of the newest event that was looked at
        self._stopped = threading.Event()
        self._poll_failures = 0
        self._told_losses = False
        self._poll_after = 0.0
        self._jobs = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the background threads."""
        # That a job is skipped while a long step runs is intended, and not worth a warning.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        every = self._settings
        self._renew_lease()
        self._jobs.add_job(self._renew_lease, "interval", seconds=every.lease_seconds / 3)
        # Two ticks at a time: one round trains while the next is being pushed (R6).
        self._jobs.add_job(self.tick, "interval", seconds=every.tick_seconds, max_instances=2)
        self._jobs.add_job(self.poll, "interval", seconds=every.poll_seconds, id="poll")
        self._jobs.add_job(self.reconcile, "interval", hours=every.reconcile_hours)
        self._jobs.start()
        threading.Thread(target=self._watch_clock, name="clock", daemon=True).start()

    def stop(self) -> None:
        """Waits for the running steps and releases the lease."""
        self._stopped.set()
        try:
            self._jobs.shutdown(wait=True)
        finally:  # who does not wait for the steps gives the lease back as well
            self._ledger.control.release_lease(SCHEDULER_LEASE, self._owner, datetime.now(UTC))

    def wake(self) -> None:
        """Polls now, because a webhook reported a change."""
        if self._jobs.running:
            self._jobs.modify_job("poll", next_run_time=datetime.now(UTC))

    def tick(self) -> None:
        """One tick, if this scheduler leads."""
        if self._leading.is_set() and (report := self._call_logged(self._tick)):
            self._log(report)

    def poll(self) -> None:
        """One poll, if this scheduler leads; backs off while Label Studio is in trouble."""
        if not self._leading.is_set() or time.monotonic() < self._poll_after:
            return
        try:
            new = self._poll()
        except Exception as error:  # unforeseen errors are reported and back off as well
            if not isinstance(error, BiasloopError):
                logger.exception("poll failed")
            self._back_off(describe_error(error))
            return
        self._poll_failures = 0
        # The bookmark may be from an earlier process.
        if self._call_logged(lambda: self._ledger.control.bookmark(Bookmark.TROUBLE)):
            self._log("Label Studio answers again")
            self._note_trouble(None)
        if new:
            self._log(f"{new} new annotations")
        self._tell_losses()

    def reconcile(self) -> None:
        """A full comparison, if this scheduler leads; logs what it corrected."""
        if self._leading.is_set() and (differences := self._call_logged(self._reconcile)):
            repairs = [
                f"{count} {kind.replace('_', ' ')}"
                for kind, count in asdict(differences).items()
                if count
            ]
            if repairs:
                self._log(f"reconciled with Label Studio: {', '.join(repairs)}")

    def _tell_losses(self) -> None:
        """Logs once that many answers are gone, and once that the question is settled."""
        losses = self._call_logged(lambda: self._ledger.control.bookmark(Bookmark.LOSSES))
        if bool(losses) != self._told_losses:
            self._told_losses = bool(losses)
            self._log(describe_losses(losses) if losses else "no answers are missing any more")

    def _back_off(self, trouble: str) -> None:
        self._poll_failures += 1
        delay = retry_delay(self._poll_failures, self._settings.retry_base_seconds, POLL_CAP)
        self._poll_after = time.monotonic() + delay.total_seconds()
        if self._poll_failures == 1:
            self._log(f"poll failed, trying again: {trouble}")
        self._note_trouble(trouble)

    def _renew_lease(self) -> None:
        now = datetime.now(UTC)
        held = self._call_logged(
            lambda: self._ledger.control.hold_lease(
                SCHEDULER_LEASE, self._owner, now, self._settings.lease_seconds
            )
        )
        if held and self._leading.is_set():
            self._call_logged(self._report_orders)
        elif held:
            self._call_logged(self._skip_past_orders)
            self._leading.set()
            self._log("this process runs the loop")
            self._call_logged(self._on_lead)
        else:
            self._leading.clear()

    def _skip_past_orders(self) -> None:
        newest = self._ledger.control.events(1)
        self._told = newest[0]["seq"] if newest else 0

    def _report_orders(self) -> None:
        """Logs what other processes did to the loop: commands, the page."""
        for event in self._ledger.control.events_after(self._told):
            self._told = event["seq"]
            if event["kind"] in ORDERS:
                which = "" if event["round_id"] is None else f"round {event['round_id']} "
                facts = ", ".join(f"{k} {v}" for k, v in event["data"].items() if v)
                self._log(f"{which}{event['kind']}{f': {facts}' if facts else ''}")

    def _watch_clock(self) -> None:
        """Runs all jobs at once when the clock was set back: APScheduler plans by the wall clock,
        so they would sleep until it has caught up."""
        ahead = time.time() - time.monotonic()
        while not self._stopped.wait(self._settings.tick_seconds):
            now = time.time() - time.monotonic()
            if now < ahead - CLOCK_SLACK:
                self._log(f"the clock was set back by {ahead - now:.0f} s")
                for job in self._jobs.get_jobs():
                    job.modify(next_run_time=datetime.now(UTC))
            ahead = now

    def _note_trouble(self, trouble: str | None) -> None:
        self._call_logged(lambda: self._ledger.control.set_bookmark(Bookmark.TROUBLE, trouble))

    def _call_logged(self, call: Callable[[], T]) -> T | None:
        """The result of `call`, or None after logging its error: APScheduler would write it to a
        log that users do not see."""
        try:
            return call()
        except BiasloopError as error:
            self._log(f"error: {error}")
            return None
