"""What language models wrote, and whether it is used for training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import LabelSource
from biasloop.domain.round import Round
from biasloop.service.service import Service
from biasloop.store.ledger import Ledger

MAX_REFUSED = 20
"""Refused texts shown on the page, newest first."""


@dataclass(frozen=True, slots=True)
class SynthesisReport:
    """What a language model wrote: the newest round's record by expander, and refused texts."""

    round: int | None
    by_expander: Mapping[str, Mapping[str, Any]]
    refused: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ProbationReport:
    """How many texts by language models there are, how many are used for training, and their
    number by weight; the newest review and its round; why the last training could not review."""

    texts: int
    teach: int
    weights: Mapping[str, int]
    round: int | None
    review: Mapping[str, Any] | None
    unmeasured: str | None


def newest(rounds: Sequence[Round], fact: str) -> Any:
    """The value of this fact in the newest round that has it; None if no round has."""
    return next((r.facts[fact] for r in reversed(rounds) if fact in r.facts), None)


def synthesis(ledger: Ledger, rounds: Iterable[Round]) -> SynthesisReport:
    """What language models wrote in the newest round that asked them."""
    records = [(r.id, r.facts["synthesis"]) for r in rounds if "synthesis" in r.facts]
    round_id, newest = records[-1] if records else (None, {})
    return SynthesisReport(round_id, newest, ledger.rejections(MAX_REFUSED))


def probation(
    service: Service, rounds: Sequence[Round], annotations: Iterable[Annotation]
) -> ProbationReport | None:
    """How many texts by language models are used for training; None if they wrote nothing."""
    written = [a.seq for a in annotations if a.source is LabelSource.LLM]
    if not written:
        return None
    reviews = service.ledger.reviews()
    round_id, review = reviews[-1] if reviews else (None, None)
    terms = service.settings.probation_terms
    weights = Counter(terms.weight_of(sequence, review) for sequence in written)
    reviewed = newest(rounds, "probation")
    return ProbationReport(
        texts=len(written),
        teach=sum(n for weight, n in weights.items() if weight > 0),
        weights={str(weight): n for weight, n in weights.items()},
        round=round_id,
        review=review.as_dict() if review else None,
        unmeasured=reviewed["why"] if reviewed and reviewed["kept"] is None else None,
    )
