"""From a plan to synthetic items: a language model writes texts, and filters reject bad ones.

A text is checked by itself (form, language, size of an edit), against the pool (leaks into audit,
near-duplicates) and against the other new texts (boilerplate). A judge, which sees only the text
and the guideline, labels the rest; a text stays only if these are the labels that were requested.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from biasloop.domain.item import Item, synthetic_item, text_hash
from biasloop.domain.label import LabelSource
from biasloop.domain.split import Split
from biasloop.domain.writing.diversity import measure_diversity
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Problem
from biasloop.domain.writing.screening import (
    TextProfile,
    flag_boilerplate,
    is_contained,
    is_small_edit,
)
from biasloop.domain.writing.synthesis import (
    EDITS,
    RefusalReason,
    Rejection,
    SyntheticItem,
    TextRequest,
)
from biasloop.llm.guard import check_texts, outside_parents
from biasloop.llm.judge import Judge
from biasloop.llm.prompting import Prompts
from biasloop.ports import Checkpoint, Generator, Pool
from biasloop.rounds.steps.expand.near_duplicates import NearDuplicates

CHUNK_ROWS = 20_000
"""Rows of the pool compared between two checkpoints."""
KNOWN_WORDS = 0.3
"""Share of a text's words that the dictionary of its language must contain. 98 % of the Italian
seeds, with their English terms, are above it, and all of the English seeds below."""
REASONS = {Problem.SCHEMA: RefusalReason.SCHEMA, Problem.NO_ANSWER: RefusalReason.NO_ANSWER}


@dataclass(slots=True)
class Synthesis:
    """The outcome of a plan. Requests that were not sent for lack of budget are in neither list."""

    made: list[SyntheticItem] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)

    def reject(
        self, request: TextRequest, reason: RefusalReason, text: str = "", detail: str = ""
    ) -> None:
        """Records a rejected text."""
        self.rejected.append(
            Rejection(
                text=text,
                reason=reason,
                detail=detail,
                operation=request.operation,
                labels=request.labels,
                parents=tuple(item.id for item in request.parents),
                roots=request.prompt.roots,
            )
        )

    def facts(
        self, requests: Sequence[TextRequest], generator: Generator, seed: int
    ) -> dict[str, Any]:
        """The facts for the record of the round."""
        texts = [synthetic.item.text for synthetic in self.made]
        cells = [
            synthetic.item.operation.rpartition("@")[0].split(":", 2)[2] for synthetic in self.made
        ]
        return {
            "asked": len(requests),
            "made": len(self.made),
            "refused": dict(Counter(str(rejection.reason) for rejection in self.rejected)),
            "not_asked": len(requests) - len(self.made) - len(self.rejected),
            "stopped": generator.stopped,
            "spending": asdict(generator.spending()),
            "diversity": measure_diversity(texts, cells, seed).as_dict(),
            "prompts": requests[0].version if requests else None,
        }


Candidate = tuple[TextRequest, str]
"""A request and the text written for it."""


def synthesise(
    requests: Sequence[TextRequest],
    *,
    generator: Generator,
    judge: Judge,
    prompts: Prompts,
    pool: Pool,
    known: Collection[str],
    measure: TextProfile,
    language: str,
    model: str,
    checkpoint: Checkpoint,
) -> Synthesis:
    """Requests texts, screens and judges them. The same answers give the same items.

    `known` are the ids of written items that have labels already; other written items in the pool
    are left from a killed attempt at the same plan, and may be made again.
    """
    synthesis = Synthesis()
    safe = _keep_safe(requests, generator, prompts, synthesis, checkpoint)
    texts = _ask_for_texts(safe, generator, synthesis, checkpoint)
    texts = _keep_well_formed(texts, measure, language, synthesis)
    texts = _keep_new(texts, pool, known, synthesis, checkpoint)
    texts = _keep_varied(texts, len(requests), synthesis)
    _add_confirmed(texts, judge, model, synthesis, checkpoint)
    return synthesis


def _keep_safe(
    requests: Sequence[TextRequest],
    generator: Generator,
    prompts: Prompts,
    synthesis: Synthesis,
    checkpoint: Checkpoint,
) -> list[TextRequest]:
    """Drops the requests whose parents contain instructions that the model obeys."""
    resists = check_texts(outside_parents(requests), generator, prompts, checkpoint=checkpoint)
    safe = []
    for request in requests:
        results = {p.id: resists.get(p.id, True) for p in request.parents}
        if all(results.values()):
            safe.append(request)
        elif False in results.values():
            synthesis.reject(
                request, RefusalReason.INJECTION, detail=f"item {request.parents[0].id}"
            )
    return safe


def _ask_for_texts(
    requests: Sequence[TextRequest],
    generator: Generator,
    synthesis: Synthesis,
    checkpoint: Checkpoint,
) -> list[Candidate]:
    answers = generator.ask([request.prompt for request in requests], checkpoint=checkpoint)
    texts = []
    for request, answer in zip(requests, answers, strict=True):
        if answer.value is not None:
            texts.append((request, " ".join(answer.value["text"].split())))
        elif answer.problem in REASONS:
            synthesis.reject(request, REASONS[answer.problem])
    return texts


def _keep_well_formed(
    texts: Iterable[Candidate], measure: TextProfile, language: str, synthesis: Synthesis
) -> list[Candidate]:
    known_share = _known_word_share(language)
    accepted = []
    for request, text in texts:
        reason = measure.reason_to_refuse(text)
        if reason is None and known_share(text) < KNOWN_WORDS:
            reason = RefusalReason.LANGUAGE
        reason = reason or _why_not_as_asked(request, text)
        if reason is None:
            accepted.append((request, text))
        else:
            synthesis.reject(request, reason, text)
    return accepted


def _why_not_as_asked(request: TextRequest, text: str) -> RefusalReason | None:
    """Why a text is not what was requested: too large an edit, or a copy of a parent; else None."""
    if request.kind in EDITS:
        return None if is_small_edit(request.parents[0].text, text) else RefusalReason.EDIT
    copied = any(is_contained(text, parent.text) for parent in request.parents)
    return RefusalReason.NEAR_DUPLICATE if copied else None


def _known_word_share(language: str) -> Callable[[str], float]:
    """A function that returns the share of a text's words that are in the dictionary of the
    language; 1 for a language without one."""
    from simplemma import in_target_language
    from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

    if language not in SUPPORTED_LANGUAGES:
        return lambda _: 1.0
    return lambda text: float(in_target_language(text, lang=language))


def _keep_new(
    texts: Sequence[Candidate],
    pool: Pool,
    known: Collection[str],
    synthesis: Synthesis,
    checkpoint: Checkpoint,
) -> list[Candidate]:
    """Drops near-duplicates of texts in the pool, and of earlier ones of these texts.

    An edit is meant to be close to its parent and the parent's other versions, so it may be.
    """
    if not texts:
        return []
    index = NearDuplicates()
    index.add([text for _, text in texts])
    rows: list[list[int]] = [[] for _ in texts]
    for start in range(0, len(pool), CHUNK_ROWS):
        piece = range(start, min(start + CHUNK_ROWS, len(pool)))
        for position, number in index.similar_pairs(pool.texts(piece)):
            rows[number].append(start + position)
        checkpoint()
    earlier: list[set[int]] = [set() for _ in texts]
    for position, number in index.similar_pairs([text for _, text in texts]):
        if number < position:
            earlier[position].add(number)

    accepted: list[int] = []
    for i, (request, text) in enumerate(texts):
        own = _item(request, text).id
        twins = [t for t in pool.items(rows[i]) if t.id != own or own in known]
        leaks = [twin for twin in twins if twin.split is Split.AUDIT]
        others = [twin for twin in twins if not _is_family(request, text, twin)]
        if leaks:
            synthesis.reject(request, RefusalReason.LEAK, text, f"item {leaks[0].id}")
        elif others:
            synthesis.reject(request, RefusalReason.NEAR_DUPLICATE, text, f"item {others[0].id}")
        elif twin := next((j for j in accepted if j in earlier[i]), None):
            synthesis.reject(request, RefusalReason.NEAR_DUPLICATE, text, texts[twin][1])
        else:
            accepted.append(i)
    return [texts[i] for i in accepted]


def _is_family(request: TextRequest, text: str, twin: Item) -> bool:
    """Whether the text is an edit, and the twin a different text with the same root."""
    if request.kind not in EDITS or twin.text_hash == text_hash(text):
        return False
    return bool(set(twin.roots) & set(request.prompt.roots))


def _keep_varied(texts: Sequence[Candidate], asked: int, synthesis: Synthesis) -> list[Candidate]:
    alike = flag_boilerplate([text for _, text in texts], asked)
    for (request, text), refused in zip(texts, alike, strict=True):
        if refused:
            synthesis.reject(request, RefusalReason.BOILERPLATE, text)
    return [candidate for candidate, refused in zip(texts, alike, strict=True) if not refused]


def _add_confirmed(
    texts: Sequence[Candidate],
    judge: Judge,
    model: str,
    synthesis: Synthesis,
    checkpoint: Checkpoint,
) -> None:
    judged = judge.judge(
        [text for _, text in texts],
        [request.prompt.roots for request, _ in texts],
        checkpoint=checkpoint,
    )
    for (request, text), judgement in zip(texts, judged, strict=True):
        if not isinstance(judgement, Judgement):
            if judgement in REASONS:
                detail = "the judge gave no usable answer"
                synthesis.reject(request, REASONS[judgement], text, detail)
        elif set(judgement.labels) != set(request.labels):
            detail = f"judged {', '.join(judgement.labels)}: {judgement.reason}"
            synthesis.reject(request, RefusalReason.LABEL, text, detail[:500])
        else:
            synthesis.made.append(_synthetic(request, text, judgement, model))


def _synthetic(request: TextRequest, text: str, judgement: Judgement, model: str) -> SyntheticItem:
    extra = {"model": model, "confidence": judgement.confidence, "reason": judgement.reason[:500]}
    return SyntheticItem(_item(request, text), request.labels, LabelSource.LLM, extra)


def _item(request: TextRequest, text: str) -> Item:
    return synthetic_item(request.parents, text, request.operation, request.cell.sector)
