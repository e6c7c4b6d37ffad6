"""What a language model says of a text under a policy."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from biasloop.domain.label import Scheme
from biasloop.domain.writing.prompt import Answer, Problem


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the samples come to: the labels that most of them chose. `confidence` is the share of
    samples that chose exactly these; `reason` is of one of them."""

    labels: tuple[str, ...]
    confidence: float
    reason: str


def combine_samples(answers: Sequence[Answer], scheme: Scheme) -> Judgement | Problem:
    """What the samples on one text come to; those that contradict themselves count for nothing.

    The set of labels that most samples chose wins, the first of equals. Without one sample that
    counts it is the first problem, SCHEMA where every sample contradicted itself.
    """
    counted = [
        (tuple(c for c in scheme.choices if c in answer.value["labels"]), answer.value["reason"])
        for answer in answers
        if answer.value is not None and not scheme.reason_to_set_aside(answer.value["labels"])
    ]
    if not counted:
        problems = [answer.problem for answer in answers if answer.problem is not None]
        return problems[0] if problems else Problem.SCHEMA
    ((labels, votes),) = Counter(labels for labels, _ in counted).most_common(1)
    reason = next(reason for chosen, reason in counted if chosen == labels)
    return Judgement(labels, votes / len(answers), reason)
