"""Many answers gone from Label Studio at once: a question for a person, not a fact. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from biasloop.domain.annotation import KEPT, Annotation
from biasloop.errors import ConfigError

MAX_LOST_SHARE = 0.1
MAX_LOST_COUNT = 5
"""If the answers that are gone at once exceed both this number and this share of all answers, they
still count until somebody decides: a database restored from yesterday, or a project deleted by
mistake, must not erase what the campaign has learned."""


class LossDecision(StrEnum):
    """What becomes of answers that are gone from Label Studio."""

    ASK = "ask"
    """They count until somebody decides, if they are many."""
    KEEP = "keep"
    LET_GO = "let go"


def decide_losses(*, accept: bool, keep: bool, new_project: bool) -> LossDecision:
    """What a person has decided by these options of `reconcile`. A new project has no answers, so
    it keeps all. Raises ConfigError when they contradict each other."""
    if accept and (keep or new_project):
        raise ConfigError(
            "--accept-losses lets go of the answers that the other options keep; choose one"
        )
    if accept:
        return LossDecision.LET_GO
    return LossDecision.KEEP if keep or new_project else LossDecision.ASK


def loss_question(
    gone: int, answers: int, *, certain: bool, older: bool | None
) -> dict[str, Any] | None:
    """What a person must decide if enough answers are gone for it to look like an accident, or if
    it certainly is one (`certain`); None otherwise.

    `older` says whether the task that set the cursor is gone; None unless everything was read.
    """
    if not gone or (not certain and gone <= max(MAX_LOST_COUNT, MAX_LOST_SHARE * answers)):
        return None
    return {"gone": gone, "of": answers, "older": bool(older), "everywhere": older is not None}


def describe_losses(losses: Mapping[str, Any]) -> str:
    """The question, for status, page and log."""
    return (
        f"{losses['gone']} of {losses['of']} answers are gone from Label Studio; they count until "
        "you decide. If its database was replaced by an older copy, or answers were deleted by "
        "mistake, restore it. If not, `biasloop reconcile --keep-answers` keeps them and "
        "`biasloop reconcile --accept-losses` lets them go"
    )


def keep_answers(answers: Iterable[Annotation]) -> list[Annotation]:
    """New versions of these answers that count without Label Studio."""
    return [
        replace(answer, extra={**answer.extra, KEPT: "gone from Label Studio, kept on purpose"})
        for answer in answers
    ]
