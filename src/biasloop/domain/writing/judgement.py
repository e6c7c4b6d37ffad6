"""The judgement of a language model: which labels a text has under a policy."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from biasloop.domain.label import Scheme
from biasloop.domain.writing.prompt import Answer, Problem


@dataclass(frozen=True, slots=True)
class Judgement:
    """The labels that most answers of the model chose. `confidence` is the share of answers that
    chose exactly these labels; `reason` comes from one of those answers."""

    labels: tuple[str, ...]
    confidence: float
    reason: str


def combine_samples(answers: Sequence[Answer], scheme: Scheme) -> Judgement | Problem:
    """Combines several answers on the same text into a judgement.

    The set of labels that most answers chose wins; in a tie, the one chosen first. Answers whose
    labels contradict each other do not count. If no answer counts, returns the first problem, or
    SCHEMA if all answers were contradictory.
    """
    valid = [
        (tuple(c for c in scheme.choices if c in answer.value["labels"]), answer.value["reason"])
        for answer in answers
        if answer.value is not None and not scheme.reason_to_set_aside(answer.value["labels"])
    ]
    if not valid:
        problems = [answer.problem for answer in answers if answer.problem is not None]
        return problems[0] if problems else Problem.SCHEMA
    ((labels, votes),) = Counter(labels for labels, _ in valid).most_common(1)
    reason = next(reason for chosen, reason in valid if chosen == labels)
    return Judgement(labels, votes / len(answers), reason)
