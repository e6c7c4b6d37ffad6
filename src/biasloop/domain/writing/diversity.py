"""How varied a set of texts is. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from biasloop.domain.writing.screening import words

SAMPLE = 100
"""Texts that self-BLEU is taken over; its cost grows with the square."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """`distinct` are the shares of distinct n-grams for n = 1, 2, 3 (Li et al. 2016, "A
    Diversity-Promoting Objective Function for Neural Conversation Models"); `self_bleu` the mean
    BLEU-4 of a text against all others, 0 to 1, the higher the more alike (Zhu et al. 2018,
    "Texygen"); `spread` the entropy over cells, 1 when all are filled evenly. None where there is
    too little to measure."""

    texts: int
    distinct: tuple[float, float, float] | None
    self_bleu: float | None
    spread: float | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def measure_diversity(texts: Sequence[str], cells: Iterable[object], seed: int) -> Diversity:
    """The variety of the texts, and of the cells they fill."""
    cut = [words(text) for text in texts]
    if not any(cut):
        return Diversity(len(texts), None, None, None)
    sample = np.random.default_rng(seed).permutation(len(cut))[:SAMPLE]
    return Diversity(
        len(texts),
        (_distinct(cut, 1), _distinct(cut, 2), _distinct(cut, 3)),
        _self_bleu([cut[i] for i in sample]),
        _evenness(Counter(cells)),
    )


def _distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    grams = [gram for text in texts for gram in _grams(text, n)]
    return len(set(grams)) / len(grams) if grams else 1.0


def _grams(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(text[i:] for i in range(n)), strict=False))


def _self_bleu(texts: Sequence[Sequence[str]]) -> float | None:
    if len(texts) < 2:
        return None
    counts = [[Counter(_grams(text, n)) for text in texts] for n in (1, 2, 3, 4)]
    return float(np.mean([_bleu(texts, counts, i) for i in range(len(texts))]))


def _bleu(
    texts: Sequence[Sequence[str]], counts: Sequence[Sequence[Counter[tuple[str, ...]]]], i: int
) -> float:
    """BLEU-4 of text i against the others, counts of 0 taken for 1/2 (Chen and Cherry 2014)."""
    if not texts[i]:
        return 0.0
    logs = []
    for of_n in counts:
        total = sum(of_n[i].values())
        if not total:
            continue
        best = {gram: max(of_n[j][gram] for j in range(len(texts)) if j != i) for gram in of_n[i]}
        hits = sum(min(count, best[gram]) for gram, count in of_n[i].items())
        logs.append(math.log(max(hits, 0.5) / total))
    length = len(texts[i])
    others = (len(text) for j, text in enumerate(texts) if j != i)
    nearest = min(others, key=lambda other: (abs(other - length), other))
    brevity = min(1.0, math.exp(1 - nearest / length))
    return brevity * math.exp(sum(logs) / len(logs))


def _evenness(counts: Counter[object]) -> float | None:
    if len(counts) < 2:
        return None
    share = np.array(list(counts.values())) / counts.total()
    return float(-(share * np.log(share)).sum() / math.log(len(counts)))
