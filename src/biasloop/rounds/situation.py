"""Reads from ledger and pool what the decision to open a round depends on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from biasloop.domain.round import PauseState, Round, Situation, State
from biasloop.rounds.steps.candidates import busy_items, candidates
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool
from biasloop.store.shards import signature


class SituationReader:
    """Reads the situation of one workspace. As it is asked every few seconds, it reads again only
    what may have changed since."""

    def __init__(self, ledger: Ledger, pool: ArrowPool, pool_folder: Path) -> None:
        self._ledger = ledger
        self._pool = pool
        self._pool_folder = pool_folder
        self._last: tuple[Any, Situation | None] = (None, None)  # a version, and what was read
        self._last_count: tuple[Any, int] = (None, 0)

    def read(self, now: datetime, *, stop_by_rule: bool) -> Situation:
        """The situation at this moment; with `stop_by_rule` the stopping rule may end it."""
        version = (self._ledger.control.sequence(), stop_by_rule)
        last_version, situation = self._last
        if situation is None or version != last_version:
            rounds = self._ledger.rounds.all()
            situation = Situation(
                now=now,
                rounds=rounds,
                labels=self._ledger.batches.count_items(),
                candidates=self.count_candidates,
                pause=self._ledger.control.pause_state(),
                stop=self._stop(rounds) if stop_by_rule else None,
            )
            self._last = (version, situation)
        return replace(situation, now=now)

    def count_candidates(self) -> int:
        """The number of unlabelled items that could go to annotators."""
        ledger = self._ledger
        version = (signature(self._pool_folder), ledger.sequence(), ledger.control.sequence())
        last_version, count = self._last_count
        if version != last_version:
            busy = busy_items(ledger.answered_items(), ledger.live_selections())
            count = sum(map(len, candidates(self._pool, busy)))
            self._last_count = (version, count)
        return count

    def _stop(self, rounds: Sequence[Round]) -> str | None:
        """Why the stopping rule ends the campaign; None when it does not, or `resume` has overruled
        it since."""
        advised = [r for r in rounds if r.facts.get("stopping")]
        if not advised:
            return None
        newest = advised[-1]
        advised_at = self._ledger.control.events_of(newest.id)[State.EVALUATED]
        resumed_at = self._ledger.control.last_event(PauseState.RUNNING)
        if not newest.facts["stopping"]["stop"] or (resumed_at and resumed_at > advised_at):
            return None
        return f"round {newest.id} ended it by the stopping rule (stopping.mode)"
