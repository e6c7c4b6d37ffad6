"""Tries a guideline before it is adopted: a language model labels scenarios under two versions."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from biasloop.domain.policy import Policy
from biasloop.domain.trial import (
    Case,
    Comment,
    LabelTotal,
    Scenario,
    Trial,
    label_totals,
    labels_to_re_ask,
    sort_cases,
    trial_id,
)
from biasloop.domain.writing.judgement import Judgement, combine_samples
from biasloop.domain.writing.prompt import Problem, Spending
from biasloop.errors import DataError, LlmError
from biasloop.ports import Checkpoint, no_checkpoint
from biasloop.service.service import Service
from biasloop.workspace.campaign import guide_of

MAX_DRAFT = 200_000
MAX_COMMENT = 4_000
MAX_NAME = 254
"""Most characters of a draft, a comment, and the name of an author."""
PROBLEM_TEXTS = {
    Problem.NOT_ASKED: "not asked",
    Problem.NO_ANSWER: "no answer",
    Problem.SCHEMA: "no usable answer",
}


def draft_of(service: Service, text: str) -> Policy:
    """The policy with this text as its guideline. Raises DataError when the text cannot be one."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # as when read from a file
    if not text.strip():
        raise DataError("the draft is empty; it must be the whole guideline in Markdown")
    if len(text) > MAX_DRAFT:
        raise DataError(f"the draft has {len(text)} characters, over {MAX_DRAFT}")
    return replace(service.campaign.policy, text=text)


def try_draft(
    service: Service,
    draft: Policy,
    against: Policy,
    scenarios: Sequence[Scenario],
    by: str,
    *,
    checkpoint: Checkpoint = no_checkpoint,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Trial:
    """Asks about all scenarios under both versions, and stores the trial in the ledger.

    Answers may be missing, for lack of budget or because the server fails; the same trial run
    again asks for these only. `progress` gets the number of finished requests and of all.

    Raises ConfigError when the settings name no model, DataError when both versions say the same,
    LlmError when there was no answer at all.
    """
    from biasloop.llm.judge import judge_prompts
    from biasloop.llm.prompting import read_prompts
    from biasloop.workspace.language_model import open_model  # its client takes a second to load

    settings = service.settings.llm
    settings.require()
    if draft.text == against.text:
        raise DataError(f"the draft is the same as {against.id}: there is nothing to compare")
    prompts = read_prompts(service.layout.campaign)
    guides = [guide_of(service.campaign, policy) for policy in (against, draft)]
    scheme, k = service.campaign.scheme, settings.judge_samples
    asked = [
        prompt
        for scenario in scenarios
        for guide in guides
        for prompt in judge_prompts(prompts, guide, k, scenario.text, scenario.roots)
    ]
    identity = trial_id(draft, against, settings.model, scenarios)
    with closing(open_model(service.layout, settings, f"trial {identity}")) as model:
        answers = model.ask(
            asked, checkpoint=checkpoint, progress=lambda done: progress(done, len(asked))
        )
        spending, stopped = model.spending(), model.stopped
    if stopped and not any(answer.value for answer in answers):
        raise LlmError(f"no scenario was answered: {stopped}")
    judgements = [combine_samples(answers[i : i + k], scheme) for i in range(0, len(answers), k)]
    trial = Trial(
        id=identity,
        at=datetime.now(UTC),
        by=by,
        draft=draft,
        against=against.id,
        model=settings.model,
        cases=tuple(map(Case, scenarios, judgements[::2], judgements[1::2])),
        stopped=stopped,
        spending=spending,
    )
    service.ledger.trials.add(trial)
    return trial


def comment(service: Service, trial: str, scenario: int, text: str, by: str) -> Trial:
    """Adds a comment to a scenario (its number) of a trial (its id, or the start of it); returns
    the trial. Raises DataError when there is no such scenario, or no text or author."""
    target, text, by = service.ledger.trials.find(trial), text.strip(), by.strip()
    if not 1 <= scenario <= len(target.cases):
        raise DataError(
            f"trial {target.id} has no scenario {scenario}; they go from 1 to {len(target.cases)}"
        )
    for what, value, limit in (("comment", text, MAX_COMMENT), ("name", by, MAX_NAME)):
        if not 0 < len(value) <= limit:
            raise DataError(f"a {what} must have 1 to {limit} characters, not {len(value)}")
    service.ledger.trials.comment(target.id, Comment(scenario, by, text, datetime.now(UTC)))
    return target


@dataclass(frozen=True, slots=True)
class JudgementReport:
    """The model's verdict on a scenario; `problem` says why there is none."""

    labels: Sequence[str]
    confidence: float | None
    reason: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class CaseReport:
    """A scenario by its number, with the verdicts under both versions, and people's labels and
    comments."""

    scenario: int
    item: str | None
    text: str
    why: str
    known: Sequence[str] | None
    before: JudgementReport
    after: JudgementReport
    changes: bool
    contradicts: bool
    comments: Sequence[Comment]


@dataclass(frozen=True, slots=True)
class TrialReport:
    """A trial: versions by their ids, counts of scenarios, and cases, those that change first."""

    trial: str
    at: datetime
    by: str
    draft: str
    against: str
    model: str
    stopped: str | None
    spending: Spending
    scenarios: int
    answered: int
    changed: int
    labelled: int
    contradicting: int
    contradicting_before: int
    in_question: Mapping[str, int]
    labels: Sequence[LabelTotal]
    cases: Sequence[CaseReport]


def describe(service: Service, trial: Trial) -> TrialReport:
    """A trial, as --json and the page show it."""
    comments = service.ledger.trials.comments(trial.id)
    scheme, cases = service.campaign.scheme, trial.cases
    return TrialReport(
        trial=trial.id,
        at=trial.at,
        by=trial.by,
        draft=trial.draft.id,
        against=trial.against,
        model=trial.model,
        stopped=trial.stopped,
        spending=trial.spending,
        scenarios=len(cases),
        answered=sum(case.answered for case in cases),
        changed=sum(case.changes for case in cases),
        labelled=sum(case.scenario.known is not None for case in cases),
        contradicting=sum(case.contradicts for case in cases),
        contradicting_before=sum(case.contradicted for case in cases),
        in_question=labels_to_re_ask(cases),
        labels=label_totals(cases, scheme.choices),
        cases=[
            CaseReport(
                scenario=number,
                item=case.scenario.item_id or None,
                text=case.scenario.text,
                why=str(case.scenario.why),
                known=case.scenario.known,
                before=_judgement(case.before),
                after=_judgement(case.after),
                changes=case.changes,
                contradicts=case.contradicts,
                comments=[comment for comment in comments if comment.scenario == number],
            )
            for number, case in sort_cases(cases)
        ],
    )


def _judgement(answer: Judgement | Problem) -> JudgementReport:
    if isinstance(answer, Judgement):
        return JudgementReport(answer.labels, answer.confidence, answer.reason, None)
    return JudgementReport((), None, "", PROBLEM_TEXTS[answer])
