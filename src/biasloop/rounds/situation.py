"""Reads from ledger and pool what the decision to open a round depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from biasloop.domain.round import PauseState, Round, Situation, State
from biasloop.rounds.steps.candidates import busy_items, candidates
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool


@dataclass(frozen=True, slots=True)
class SituationReader:
    """Reads the situation of one workspace; with `stop_by_rule` the stopping rule may end it."""

    ledger: Ledger
    pool: ArrowPool
    stop_by_rule: bool

    def read(self, now: datetime) -> Situation:
        """The situation at this moment."""
        rounds = self.ledger.rounds.all()
        return Situation(
            now=now,
            rounds=rounds,
            labels=len({s.item_id for _, s in self.ledger.live_selections()}),
            candidates=self.count_candidates,
            pause=self.ledger.control.pause_state(),
            stop=self._stop(rounds),
        )

    def count_candidates(self) -> int:
        """The number of unlabelled items that could go to annotators."""
        busy = busy_items(self.ledger.answered_items(), self.ledger.live_selections())
        return sum(map(len, candidates(self.pool, busy)))

    def _stop(self, rounds: Sequence[Round]) -> str | None:
        """Why the stopping rule ends the campaign; None when there is no rule, it does not, or
        `resume` has overruled it since."""
        advised = [r for r in rounds if r.facts.get("stopping")]
        if not self.stop_by_rule or not advised:
            return None
        newest = advised[-1]
        advised_at = self.ledger.control.events_of(newest.id)[State.EVALUATED]
        resumed_at = self.ledger.control.last_event(PauseState.RUNNING)
        if not newest.facts["stopping"]["stop"] or (resumed_at and resumed_at > advised_at):
            return None
        return f"round {newest.id} ended it by the stopping rule (stopping.mode)"
