"""Work in the background of the web server, one piece at a time."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from biasloop.errors import BiasloopError, WorkspaceError, describe_error

log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The server is stopping."""


@dataclass(frozen=True, slots=True)
class Run:
    """How far a run is: `done` of `of` steps; both are 0 until it is known. `error` says why it
    ended without a `result`; `form` has the fields of the form, to be shown again."""

    form: Mapping[str, str]
    done: int = 0
    of: int = 0
    over: bool = False
    error: str | None = None
    result: str | None = None


class Background:
    """Runs one piece of work at a time in a background thread. `what` names it in messages, with
    an article: "an export"."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def run(self) -> Run | None:
        """The newest run; None before the first."""
        return self._run

    def stop(self) -> None:
        """Ends the run at its next checkpoint. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _begin(self, form: Mapping[str, str], work: Callable[[], str | None]) -> None:
        """Starts `work`, which returns the result, if it has one.

        Raises WorkspaceError while another runs.
        """
        with self._lock:
            if self._run and not self._run.over:
                raise WorkspaceError(f"{self._what} is already running; wait until it has finished")
            self._run = Run(form)
            self._thread = threading.Thread(
                target=self._work, args=(work,), name=self._what, daemon=True
            )
            self._thread.start()

    def _work(self, work: Callable[[], str | None]) -> None:
        error = result = None
        try:
            result = work()
        except _Stopped:
            error = "the service was stopped; run it again"
        except Exception as failure:  # unexpected errors must be shown as well
            if not isinstance(failure, BiasloopError):
                log.exception("%s failed", self._what)
            error = describe_error(failure)
        assert self._run is not None
        self._run = replace(self._run, over=True, error=error, result=result)

    def _checkpoint(self) -> None:
        """Work calls this now and then; it does not return once the server is stopping."""
        if self._stopping.is_set():
            raise _Stopped

    def _progress(self, done: int, of: int) -> None:
        assert self._run is not None
        self._run = replace(self._run, done=done, of=of)
