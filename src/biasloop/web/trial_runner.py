"""Runs a trial of a draft in the background of the web server, one at a time."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from biasloop.domain.policy import Policy
from biasloop.domain.trial import Scenario
from biasloop.errors import BiasloopError, WorkspaceError, describe_error
from biasloop.service.scenarios import borderline
from biasloop.service.service import Service
from biasloop.service.trial import try_draft

log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The server is stopping."""


@dataclass(frozen=True, slots=True)
class Run:
    """How far a run is: `done` of `of` requests; both are 0 while scenarios are chosen. `error`
    says why it ended without a trial; `form` has the fields of the form, to be shown again."""

    form: Mapping[str, str]
    done: int = 0
    of: int = 0
    over: bool = False
    error: str | None = None


class Runner:
    """Runs one trial at a time in a background thread. Trials go into the ledger and answers are
    stored, so an interrupted run can simply be started again."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def run(self) -> Run | None:
        """The newest run; None before the first."""
        return self._run

    def start(
        self,
        draft: Policy,
        against: Policy,
        scenarios: Sequence[Scenario] | int,
        form: Mapping[str, str],
    ) -> None:
        """Starts a trial in the background, on `scenarios` or on that many borderline items;
        `form["by"]` is its author.

        Raises WorkspaceError while another runs.
        """
        with self._lock:
            if self._run and not self._run.over:
                raise WorkspaceError("a trial is already running; wait until it has finished")
            self._run = Run(form)
            self._thread = threading.Thread(
                target=self._run_trial, args=(draft, against, scenarios), name="trial", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Ends the run after the unfinished requests. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run_trial(
        self, draft: Policy, against: Policy, scenarios: Sequence[Scenario] | int
    ) -> None:
        assert self._run is not None
        error = None
        try:
            if isinstance(scenarios, int):
                scenarios = borderline(self._service, scenarios)
            try_draft(
                self._service,
                draft,
                against,
                scenarios,
                self._run.form["by"],
                checkpoint=self._checkpoint,
                progress=self._progress,
            )
        except _Stopped:
            error = "the service was stopped; run it again"
        except Exception as failure:  # unexpected errors must be shown as well
            if not isinstance(failure, BiasloopError):
                log.exception("a trial failed")
            error = describe_error(failure)
        self._run = replace(self._run, over=True, error=error)

    def _checkpoint(self) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _progress(self, done: int, of: int) -> None:
        assert self._run is not None
        self._run = replace(self._run, done=done, of=of)
