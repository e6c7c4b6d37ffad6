"""The page of the guideline: its versions, trials of drafts side by side, and comments."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from biasloop.domain.trial import Trial
from biasloop.errors import BiasloopError, DataError
from biasloop.service.scenarios import MAX_SCENARIOS, from_lines
from biasloop.service.service import Service
from biasloop.service.trial import LONGEST_NAME, comment, describe, draft_of
from biasloop.web import view
from biasloop.web.forms import posted
from biasloop.web.rendering import HERE, render
from biasloop.web.trial_runner import Runner

Form = Annotated[dict[str, str], Depends(posted)]
ITEMS = 50


def add_guideline(
    app: FastAPI, service: Service, runner: Runner, look: Callable[[], dict[str, Any]]
) -> None:
    """Adds the page and its forms; `look` gives the overview."""

    def page(trial: str, wrong: str | None = None, given: Mapping[str, str] | None = None) -> str:
        trials = service.ledger.trials.all()
        shown = service.ledger.trials.find(trial or trials[0]["id"]) if trials else None
        llm = service.settings.llm
        return render(
            "guideline.html",
            guideline=look()["guideline"],
            trials=trials,
            trial=shown and describe(service, shown),
            diff=shown and _diff(service, shown),
            run=runner.run,
            model=llm.model if llm.base_url and llm.model else None,
            wrong=wrong,
            most=MAX_SCENARIOS,
            alone=False,
            form={
                "draft": shown.draft.text if shown else service.current_policy.text,
                "scenarios": "",
                "items": str(ITEMS),
                "by": "",
            }
            | dict(given or (runner.run.form if runner.run else {})),
        )

    @app.get("/policy", response_class=HTMLResponse)
    def guideline(trial: Annotated[str, Query(max_length=8)] = "") -> HTMLResponse:
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
    def say(form: Form) -> Response:
        trial, number = form.get("trial", ""), form.get("scenario", "")
        try:
            scenario = int(number) if number.isdecimal() else 0
            found = comment(service, trial, scenario, form.get("text", ""), form.get("by", ""))
        except BiasloopError as error:
            return HTMLResponse(page("", str(error)), 422)
        return RedirectResponse(f"/policy?trial={found.id}#s{scenario}", 303)


def trial_file(service: Service, trial: Trial) -> str:
    """A trial as one HTML file that needs nothing else, for those who do not see the page."""
    current = service.ledger.policies.current()
    return render(
        "trial_file.html",
        title=service.campaign.about.title,
        style=Markup((HERE / "static" / "style.css").read_text("utf-8")),  # noqa: S704 - our own
        trial=describe(service, trial),
        diff=_diff(service, trial),
        guideline={"policy": current.id if current else None},
        alone=True,
    )


def _start(service: Service, runner: Runner, form: Mapping[str, str]) -> None:
    service.settings.llm.require()
    by, items = form.get("by", "").strip(), form.get("items", "")
    if not 0 < len(by) <= LONGEST_NAME:
        raise DataError("say who you are, so that others know whose trial it is")
    given = {**form, "by": by}
    draft = draft_of(service, form.get("draft", ""))
    current = service.current_policy
    if draft.text == current.text:
        raise DataError("the draft says what is in force already; change something in it")
    if texts := form.get("scenarios", "").strip():
        runner.start(draft, current, from_lines(texts), given)
    elif items.isdecimal() and 1 <= int(items) <= MAX_SCENARIOS:
        runner.start(draft, current, int(items), given)
    else:
        raise DataError(f"a trial is on 1 to {MAX_SCENARIOS} items")


def _diff(service: Service, trial: Trial) -> list[tuple[str, str]] | None:
    """What the draft changes in the text; None where that version was never in force."""
    found = [policy for _, policy in service.ledger.policies.all() if policy.id == trial.against]
    return view.diff(found[0].text, trial.draft.text) if found else None
