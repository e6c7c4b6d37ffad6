"""Verdicts on texts: one for each sentence, and one for the text that follows from them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from biasloop.domain.text import MappedText
from biasloop.intake.markup import without_markup
from biasloop.intake.sentences import Span, sentences
from biasloop.intake.texts import Text
from biasloop.plugins.loaded_model import LoadedModel

BATCH_SIZE = 500
BATCH_CHARACTERS = 500_000
"""Texts and characters classified at a time."""

Verdict = dict[str, Any]
"""What is said of a text, as JSON values and the columns that came with it."""


def classify(
    rows: Iterable[Text],
    model: LoadedModel,
    *,
    unit: str,
    language: str,
    keep_markup: bool = False,
) -> Iterator[Verdict]:
    """Yields for every text its verdict, those of its sentences, and the decisive words. `language`
    is that of the texts that say none: each is cut as an import cuts it.

    A verdict holds the title and the columns of its text, if there are any, and the thresholds from
    which a sentence is flagged.

    The rule is "any": a text's probability for a label is the highest of its sentences, and the
    text is flagged when one of its sentences is. Offsets are characters of the text given; evidence
    is quoted without HTML, which is not read unless `keep_markup`. A text without a sentence has no
    flags and probabilities of 0. The probability of a label that the model never learned is None.
    """
    batch: list[tuple[Text, MappedText, list[Span]]] = []
    for row in rows:
        shown = MappedText(row.text) if keep_markup else without_markup(row.text)
        batch.append((row, shown, _cut(shown.text, unit, row.language or language)))
        if len(batch) == BATCH_SIZE:
            yield from _classify(batch, model)
            batch = []
    yield from _classify(batch, model)


def flat_verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict as one row of a table: without its sentences, labels as in an export."""
    probabilities = {f"p_{name}": value for name, value in verdict["labels"].items()}
    return {"id": verdict["id"], "flagged": verdict["flagged"]} | probabilities


def _classify(
    batch: list[tuple[Text, MappedText, list[Span]]], model: LoadedModel
) -> Iterator[Verdict]:
    verdicts = model.predict(
        [shown.text[start:end] for _, shown, spans in batch for start, end in spans]
    )
    labels = model.scheme.labels
    without_sentence = np.array([0 if label in verdicts.known else np.nan for label in labels])
    thresholds = _by_label(labels, model.thresholds)
    at = 0
    for row, shown, spans in batch:
        own = slice(at, at + len(spans))
        at += len(spans)
        flagged = [_flagged(labels, flags) for flags in verdicts.flags[own]]
        spans_of_text = [
            {
                **_place(shown, start, end),
                "text": shown.text[start:end],
                "labels": _by_label(labels, verdicts.proba[own][i]),
                "flagged": flagged[i],
                "evidence": _evidence(model, shown, (start, end), flagged[i]),
            }
            for i, (start, end) in enumerate(spans)
        ]
        top = verdicts.proba[own].max(axis=0) if spans else without_sentence
        yield {
            "id": row.id,
            **({"title": row.title} if row.title else {}),
            "labels": _by_label(labels, top),
            "flagged": _flagged(labels, verdicts.flags[own].any(axis=0)),
            "thresholds": thresholds,
            "sentences": spans_of_text,
            **({"columns": dict(row.columns)} if row.columns else {}),
        }


def _cut(text: str, unit: str, language: str) -> list[Span]:
    if unit == "sentence":
        return sentences(text, language)
    return [(0, len(text))] if text else []


def _place(shown: MappedText, start: int, end: int) -> dict[str, int]:
    """Where shown.text[start:end] is in the text given."""
    first, last = shown.original_span(start, end)
    return {"start": first, "end": last}


def _by_label(labels: Sequence[str], proba: Any) -> dict[str, float | None]:
    return {
        name: None if np.isnan(p) else round(float(p), 4)
        for name, p in zip(labels, proba, strict=True)
    }


def _flagged(labels: Sequence[str], flags: Any) -> list[str]:
    return [name for name, flag in zip(labels, flags, strict=True) if flag]


def _evidence(
    model: LoadedModel, shown: MappedText, sentence: tuple[int, int], flagged: list[str]
) -> list[dict[str, Any]]:
    start, end = sentence
    text = shown.text[start:end]
    return [
        {
            **_place(shown, start + span.start, start + span.end),
            "label": span.label,
            "text": text[span.start : span.end],
        }
        for span in (model.evidence(text, flagged) if flagged else ())
    ]
