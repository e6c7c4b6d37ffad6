"""From a plan to synthetic items: a language model writes, and most of the work is to refuse.

A text is looked at by itself (form, language, size of an edit), beside the pool (leaks into audit,
near-duplicates) and beside the others (boilerplate); what is left is judged, and stays only if the
judge, who sees nothing but the text and the guideline, finds the labels that were asked for.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from biasloop.domain.item import Item, synthetic_item, text_hash
from biasloop.domain.label import LabelSource
from biasloop.domain.split import Split
from biasloop.domain.writing.diversity import diversity
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Problem
from biasloop.domain.writing.screening import Measure, boilerplate, is_piece, is_small_edit
from biasloop.domain.writing.synthesis import EDITS, Made, Reason, Rejection, Request
from biasloop.llm.guard import outsiders, try_texts
from biasloop.llm.judge import Judge
from biasloop.llm.prompting import Prompts
from biasloop.ports import Checkpoint, Generator, Pool
from biasloop.rounds.steps.expand.near_duplicates import NearDuplicates

CHUNK_ROWS = 20_000
"""Rows of the pool looked at between two checkpoints."""
KNOWN_WORDS = 0.3
"""Share of a text's words that its language's dictionary must know. 98 % of the Italian seeds, with
their English terms, stand above it, and all of the English seeds below."""
REASONS = {Problem.SCHEMA: Reason.SCHEMA, Problem.NO_ANSWER: Reason.NO_ANSWER}


@dataclass(slots=True)
class Synthesis:
    """What came of a plan. What was not asked for want of budget is in neither list."""

    made: list[Made] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, request: Request, reason: Reason, text: str = "", detail: str = "") -> None:
        """Notes a text that stays out."""
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

    def facts(self, requests: Sequence[Request], generator: Generator, seed: int) -> dict[str, Any]:
        """What the round's record says of it."""
        texts = [made.item.text for made in self.made]
        cells = [made.item.operation.rpartition("@")[0].split(":", 2)[2] for made in self.made]
        return {
            "asked": len(requests),
            "made": len(self.made),
            "refused": dict(Counter(str(rejection.reason) for rejection in self.rejected)),
            "not_asked": len(requests) - len(self.made) - len(self.rejected),
            "stopped": generator.stopped,
            "spending": asdict(generator.spending()),
            "diversity": diversity(texts, cells, seed).as_dict(),
            "prompts": requests[0].version if requests else None,
        }


Candidate = tuple[Request, str]
"""A request and the text that came of it."""


def synthesise(
    requests: Sequence[Request],
    *,
    generator: Generator,
    judge: Judge,
    prompts: Prompts,
    pool: Pool,
    known: Collection[str],
    measure: Measure,
    language: str,
    model: str,
    checkpoint: Checkpoint,
) -> Synthesis:
    """Asks, screens and judges. The same answers give the same items.

    `known` are the ids of written items that count already; others in the pool are left from a
    killed attempt at this very plan, and may be made again.
    """
    found = Synthesis()
    safe = _guarded(requests, generator, prompts, found, checkpoint)
    texts = _written(safe, generator, found, checkpoint)
    texts = _well_formed(texts, measure, language, found)
    texts = _fresh(texts, pool, known, found, checkpoint)
    texts = _varied(texts, len(requests), found)
    _confirmed(texts, judge, model, found, checkpoint)
    return found


def _guarded(
    requests: Sequence[Request],
    generator: Generator,
    prompts: Prompts,
    found: Synthesis,
    checkpoint: Checkpoint,
) -> list[Request]:
    """Without the requests whose parent talks the model out of its task."""
    tried = try_texts(outsiders(requests), generator, prompts, checkpoint=checkpoint)
    safe = []
    for request in requests:
        verdicts = {p.id: tried.get(p.id, True) for p in request.parents}
        if all(verdicts.values()):
            safe.append(request)
        elif False in verdicts.values():
            found.reject(request, Reason.INJECTION, detail=f"item {request.parents[0].id}")
    return safe


def _written(
    requests: Sequence[Request], generator: Generator, found: Synthesis, checkpoint: Checkpoint
) -> list[Candidate]:
    answers = generator.ask([request.prompt for request in requests], checkpoint=checkpoint)
    texts = []
    for request, answer in zip(requests, answers, strict=True):
        if answer.value is not None:
            texts.append((request, " ".join(answer.value["text"].split())))
        elif answer.problem in REASONS:
            found.reject(request, REASONS[answer.problem])
    return texts


def _well_formed(
    texts: Iterable[Candidate], measure: Measure, language: str, found: Synthesis
) -> list[Candidate]:
    known_share = _known_share(language)
    kept = []
    for request, text in texts:
        reason = measure.refuses(text)
        if reason is None and known_share(text) < KNOWN_WORDS:
            reason = Reason.LANGUAGE
        reason = reason or _wrong_way(request, text)
        if reason is None:
            kept.append((request, text))
        else:
            found.reject(request, reason, text)
    return kept


def _wrong_way(request: Request, text: str) -> Reason | None:
    """Why a text cannot have come about as it was asked to."""
    if request.kind in EDITS:
        return None if is_small_edit(request.parents[0].text, text) else Reason.EDIT
    copied = any(is_piece(text, parent.text) for parent in request.parents)
    return Reason.NEAR_DUPLICATE if copied else None


def _known_share(language: str) -> Callable[[str], float]:
    """The share of a text's words that a dictionary of its language knows; 1 without one."""
    from simplemma import in_target_language
    from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

    if language not in SUPPORTED_LANGUAGES:
        return lambda _: 1.0
    return lambda text: float(in_target_language(text, lang=language))


def _fresh(
    texts: Sequence[Candidate],
    pool: Pool,
    known: Collection[str],
    found: Synthesis,
    checkpoint: Checkpoint,
) -> list[Candidate]:
    """Without what is nearly in the pool, or nearly another of these texts.

    An edit may be near its own parent and the parent's versions: it is meant to.
    """
    if not texts:
        return []
    index = NearDuplicates()
    index.add([text for _, text in texts])
    rows: list[list[int]] = [[] for _ in texts]
    for start in range(0, len(pool), CHUNK_ROWS):
        piece = range(start, min(start + CHUNK_ROWS, len(pool)))
        for position, number in index.alike(pool.texts(piece)):
            rows[number].append(start + position)
        checkpoint()
    earlier: list[set[int]] = [set() for _ in texts]
    for position, number in index.alike([text for _, text in texts]):
        if number < position:
            earlier[position].add(number)

    kept: list[int] = []
    for i, (request, text) in enumerate(texts):
        own = _item(request, text).id
        twins = [t for t in pool.items(rows[i]) if t.id != own or own in known]
        leaks = [twin for twin in twins if twin.split is Split.AUDIT]
        others = [twin for twin in twins if not _is_family(request, text, twin)]
        if leaks:
            found.reject(request, Reason.LEAK, text, f"item {leaks[0].id}")
        elif others:
            found.reject(request, Reason.NEAR_DUPLICATE, text, f"item {others[0].id}")
        elif twin := next((j for j in kept if j in earlier[i]), None):
            found.reject(request, Reason.NEAR_DUPLICATE, text, texts[twin][1])
        else:
            kept.append(i)
    return [texts[i] for i in kept]


def _is_family(request: Request, text: str, twin: Item) -> bool:
    """Whether the text is an edit, and the twin another text of the same root."""
    if request.kind not in EDITS or twin.text_hash == text_hash(text):
        return False
    return bool(set(twin.roots) & set(request.prompt.roots))


def _varied(texts: Sequence[Candidate], asked: int, found: Synthesis) -> list[Candidate]:
    alike = boilerplate([text for _, text in texts], asked)
    for (request, text), refused in zip(texts, alike, strict=True):
        if refused:
            found.reject(request, Reason.BOILERPLATE, text)
    return [candidate for candidate, refused in zip(texts, alike, strict=True) if not refused]


def _confirmed(
    texts: Sequence[Candidate], judge: Judge, model: str, found: Synthesis, checkpoint: Checkpoint
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
                found.reject(request, REASONS[judgement], text, detail)
        elif set(judgement.labels) != set(request.labels):
            said = f"judged {', '.join(judgement.labels)}: {judgement.reason}"
            found.reject(request, Reason.LABEL, text, said[:500])
        else:
            found.made.append(_made(request, text, judgement, model))


def _made(request: Request, text: str, judgement: Judgement, model: str) -> Made:
    said = {"model": model, "confidence": judgement.confidence, "reason": judgement.reason[:500]}
    return Made(_item(request, text), request.labels, LabelSource.LLM, said)


def _item(request: Request, text: str) -> Item:
    return synthetic_item(request.parents, text, request.operation, request.cell.sector)
