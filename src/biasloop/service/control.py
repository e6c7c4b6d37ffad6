"""Controls the loop: pause, resume, expand now, cancel a round."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from biasloop.domain.round import PauseState, State
from biasloop.rounds.steps.close import close
from biasloop.service.service import Service
from biasloop.store.control import Bookmark


def pause(service: Service, *, drain: bool = False) -> PauseState:
    """Stops the steps until `resume`; with `drain` live rounds are finished first."""
    return _note(service, PauseState.DRAINING if drain else PauseState.PAUSED)


def resume(service: Service) -> PauseState:
    """Lets the loop continue after `pause`, or after the stopping rule ended the campaign."""
    return _note(service, PauseState.RUNNING)


def _note(service: Service, state: PauseState) -> PauseState:
    service.ledger.control.note(state, {}, datetime.now(UTC))
    return state


def expand(service: Service) -> Mapping[str, Any]:
    """Runs the expanders of the settings, as a round does when it opens. Returns the facts that
    a round would record."""
    done = service.steps.expand(None, lambda: None)
    now = datetime.now(UTC)
    service.ledger.add(done.records, now)
    service.ledger.control.note(State.EXPANDED, dict(done.facts), now)
    close(job_folders=[service.layout.job(None, "expand")])
    return done.facts


def cancel(service: Service, round_id: int, why: str) -> int:
    """Ends a round and withdraws its unlabelled tasks. Returns how many were withdrawn."""
    ledger = service.ledger
    before = ledger.rounds.get(round_id)
    ledger.rounds.cancel(round_id, why, datetime.now(UTC))
    if before.state in (State.OPENED, State.EXPANDED, State.SCORED):
        return 0
    batch = {selection.item_id for _, selection in ledger.selections(round_id)}
    answered = {a.item_id for a in ledger.annotations() if a.task_id is not None}
    tasks = service.label_studio.task_ids(sorted(batch - answered))
    service.label_studio.withdraw(list(chain(*tasks.values())))
    return len(tasks)


def replace_project(service: Service) -> int:
    """Makes a new project in Label Studio in place of one that was deleted, and returns its id. One
    that still exists under the campaign's title is found again instead."""
    for name in (Bookmark.PROJECT, Bookmark.POLL_CURSOR, Bookmark.POLL_WITNESS):
        service.ledger.control.set_bookmark(name, None)
    return service.ensure_project()
