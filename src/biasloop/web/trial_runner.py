"""Runs a trial of a draft in the background of the web server, one at a time."""

from collections.abc import Mapping, Sequence

from biasloop.domain.policy import Policy
from biasloop.domain.trial import Scenario
from biasloop.service.scenarios import borderline
from biasloop.service.service import Service
from biasloop.service.trial import try_draft
from biasloop.web.background import Background


class Runner(Background):
    """Runs one trial at a time in a background thread. Trials go into the ledger and answers are
    stored, so an interrupted run can simply be started again. Its steps are requests; their number
    is not known while scenarios are chosen."""

    def __init__(self, service: Service) -> None:
        super().__init__("a trial")
        self._service = service

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
        self._begin(form, lambda: self._try(draft, against, scenarios, form["by"]))

    def _try(
        self, draft: Policy, against: Policy, scenarios: Sequence[Scenario] | int, by: str
    ) -> None:
        if isinstance(scenarios, int):
            scenarios = borderline(self._service, scenarios)
        try_draft(
            self._service,
            draft,
            against,
            scenarios,
            by,
            checkpoint=self._checkpoint,
            progress=self._progress,
        )
