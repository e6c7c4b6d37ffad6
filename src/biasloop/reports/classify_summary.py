"""What a model said of many texts: how many have each label, and of which it is least certain."""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from biasloop.reports.classify import Verdict

UNCERTAIN = 10
"""Number of texts that are named as uncertain."""

CAUTION = (
    "These are the verdicts of a model on these texts, and no estimate of a share: it overlooks "
    "some and flags others wrongly."
)


@dataclass
class Summary:
    """Counts verdicts for the `labels` of a scheme."""

    labels: Sequence[str]
    texts: int = 0
    sentences: int = 0
    flagged: int = 0
    texts_with: Counter[str] = field(default_factory=Counter)
    sentences_with: Counter[str] = field(default_factory=Counter)
    _nearest: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Counts a verdict."""
        self.texts += 1
        self.sentences += len(verdict["sentences"])
        self.flagged += bool(verdict["flagged"])
        self.texts_with.update(verdict["flagged"])
        for sentence in verdict["sentences"]:
            self.sentences_with.update(sentence["flagged"])
        doubt = _doubt(verdict)
        if doubt is not None:
            # Of those that are equally near, the first ones stay.
            entry = (-doubt["distance"], -self.texts, doubt)
            if len(self._nearest) < UNCERTAIN:
                heapq.heappush(self._nearest, entry)
            else:
                heapq.heappushpop(self._nearest, entry)

    def facts(self) -> dict[str, Any]:
        """The counts as plain values; `uncertain` are the texts with a probability nearest to its
        threshold, nearest first."""
        return {
            "texts": self.texts,
            "sentences": self.sentences,
            "flagged": self.flagged,
            "labels": {
                label: {
                    "texts": self.texts_with[label],
                    "share_of_texts": round(self.texts_with[label] / max(1, self.texts), 4),
                    "sentences": self.sentences_with[label],
                    "share_of_sentences": round(
                        self.sentences_with[label] / max(1, self.sentences), 4
                    ),
                }
                for label in self.labels
            },
            "uncertain": [doubt for *_, doubt in sorted(self._nearest, reverse=True)],
            "note": CAUTION,
        }


def _doubt(verdict: Verdict) -> dict[str, Any] | None:
    """The label whose probability is nearest to its threshold, with the sentence that has it; None
    if no sentence was read."""
    if not verdict["sentences"]:
        return None
    near = [
        (abs(proba - threshold), label)
        for label, threshold in verdict["thresholds"].items()
        if threshold is not None and (proba := verdict["labels"][label]) is not None
    ]
    if not near:
        return None
    distance, label = min(near, key=lambda pair: pair[0])
    sentence = max(verdict["sentences"], key=lambda sentence: sentence["labels"][label])
    return {
        "id": verdict["id"],
        "label": label,
        "distance": round(distance, 4),
        "probability": verdict["labels"][label],
        "threshold": verdict["thresholds"][label],
        "sentence": sentence["text"],
    }
