"""The page of the guideline: its versions, trials of drafts side by side, and comments."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from biasloop.errors import BiasloopError, DataError
from biasloop.service.policy import policy_report
from biasloop.service.scenarios import MAX_SCENARIOS, from_lines
from biasloop.service.service import Service
from biasloop.service.trial import MAX_NAME, comment, describe, draft_of
from biasloop.web.forms import read_form, read_number
from biasloop.web.rendering import draft_diff, render
from biasloop.web.trial_runner import Runner

Form = Annotated[dict[str, str], Depends(read_form)]
DEFAULT_ITEMS = 50


def add_guideline(app: FastAPI, service: Service, runner: Runner) -> None:
    """Adds the page and its forms."""

    def page(trial: str, error: str | None = None, fields: Mapping[str, str] | None = None) -> str:
        trials = service.ledger.trials.all()
        shown = service.ledger.trials.find(trial or trials[0]["id"]) if trials else None
        llm = service.settings.llm
        guideline = policy_report(service, service.ledger.annotations())
        return render(
            "guideline.html",
            guideline=guideline,
            in_force=guideline.policy,
            trials=trials,
            trial=shown and describe(service, shown),
            diff=shown and draft_diff(service, shown),
            run=runner.run,
            model=llm.model if llm.base_url and llm.model else None,
            error=error,
            max_items=MAX_SCENARIOS,
            alone=False,
            form={
                "draft": shown.draft.text if shown else service.current_policy.text,
                "scenarios": "",
                "items": str(DEFAULT_ITEMS),
                "by": "",
            }
            | dict(fields or (runner.run.form if runner.run else {})),
        )

    @app.get("/policy", response_class=HTMLResponse)
    def show(trial: Annotated[str, Query(max_length=8)] = "") -> HTMLResponse:
        try:
            return HTMLResponse(page(trial))
        except BiasloopError as error:
            if not trial:
                raise
            return HTMLResponse(page("", str(error)), 404)

    @app.post("/policy/try")
    def try_(form: Form) -> Response:
        try:
            _start(service, runner, form)
        except BiasloopError as error:
            return HTMLResponse(page("", str(error), form), 422)
        return RedirectResponse("/policy", 303)

    @app.post("/policy/comment")
    def add_comment(form: Form) -> Response:
        trial, number = form.get("trial", ""), form.get("scenario", "")
        try:
            scenario = read_number(number, MAX_SCENARIOS) or 0
            commented = comment(service, trial, scenario, form.get("text", ""), form.get("by", ""))
        except BiasloopError as error:
            return HTMLResponse(page("", str(error)), 422)
        return RedirectResponse(f"/policy?trial={commented.id}#s{scenario}", 303)


def _start(service: Service, runner: Runner, form: Mapping[str, str]) -> None:
    service.settings.llm.require()
    by, items = form.get("by", "").strip(), form.get("items", "")
    if not 0 < len(by) <= MAX_NAME:
        raise DataError(
            f"enter your name, of at most {MAX_NAME} characters: others see whose trial it is"
        )
    fields = {**form, "by": by}
    draft = draft_of(service, form.get("draft", ""))
    current = service.current_policy
    if draft.text == current.text:
        raise DataError("the draft is the same as the guideline in force; change something in it")
    if texts := form.get("scenarios", "").strip():
        runner.start(draft, current, from_lines(texts), fields)
    elif number := read_number(items, MAX_SCENARIOS):
        runner.start(draft, current, number, fields)
    else:
        raise DataError(f"a trial takes 1 to {MAX_SCENARIOS} items")
