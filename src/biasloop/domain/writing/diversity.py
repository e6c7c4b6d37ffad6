"""How varied a set of texts is. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from biasloop.domain.writing.screening import words

MAX_TEXTS = 100
"""Self-BLEU is measured on a sample of this many texts; its cost is quadratic in their number."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """How varied `texts` texts are; a figure is None if there is too little to measure.

    `distinct` are the shares of distinct n-grams for n = 1, 2, 3 (Li et al. 2016, "A
    Diversity-Promoting Objective Function for Neural Conversation Models"). `self_bleu` is the mean
    BLEU-4 of each text against all others, from 0 to 1; the higher, the more similar the texts (Zhu
    et al. 2018, "Texygen"). `spread` is the normalised entropy of the cells they fill; 1 if all
    cells have the same number of texts.
    """

    texts: int
    distinct: tuple[float, float, float] | None
    self_bleu: float | None
    spread: float | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def measure_diversity(texts: Sequence[str], cells: Iterable[object], seed: int) -> Diversity:
    """Measures the diversity of texts; `cells` are the cells that they fill."""
    tokenised = [words(text) for text in texts]
    if not any(tokenised):
        return Diversity(len(texts), None, None, None)
    sample = np.random.default_rng(seed).permutation(len(tokenised))[:MAX_TEXTS]
    return Diversity(
        len(texts),
        (_distinct(tokenised, 1), _distinct(tokenised, 2), _distinct(tokenised, 3)),
        _self_bleu([tokenised[i] for i in sample]),
        _evenness(Counter(cells)),
    )


def _distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    ngrams = [ngram for text in texts for ngram in _ngrams(text, n)]
    return len(set(ngrams)) / len(ngrams) if ngrams else 1.0


def _ngrams(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(text[i:] for i in range(n)), strict=False))


def _self_bleu(texts: Sequence[Sequence[str]]) -> float | None:
    if len(texts) < 2:
        return None
    counts = [[Counter(_ngrams(text, n)) for text in texts] for n in (1, 2, 3, 4)]
    return float(np.mean([_bleu(texts, counts, i) for i in range(len(texts))]))


def _bleu(
    texts: Sequence[Sequence[str]], counts: Sequence[Sequence[Counter[tuple[str, ...]]]], i: int
) -> float:
    """BLEU-4 of text i against all others; `counts` holds the n-grams of each text for each n.

    0 matches count as 1/2 (Chen and Cherry 2014, "A Systematic Comparison of Smoothing Techniques
    for Sentence-Level BLEU").
    """
    if not texts[i]:
        return 0.0
    log_precisions = []
    for ngrams in counts:
        total = sum(ngrams[i].values())
        if not total:
            continue
        others = [ngrams[j] for j in range(len(texts)) if j != i]
        matches = sum(
            min(count, max(other[ngram] for other in others)) for ngram, count in ngrams[i].items()
        )
        log_precisions.append(math.log(max(matches, 0.5) / total))
    length = len(texts[i])
    lengths = (len(text) for j, text in enumerate(texts) if j != i)
    closest = min(lengths, key=lambda other: (abs(other - length), other))
    brevity_penalty = min(1.0, math.exp(1 - closest / length))
    return brevity_penalty * math.exp(sum(log_precisions) / len(log_precisions))


def _evenness(counts: Counter[object]) -> float | None:
    if len(counts) < 2:
        return None
    shares = np.array(list(counts.values())) / counts.total()
    return float(-(shares * np.log(shares)).sum() / math.log(len(counts)))
