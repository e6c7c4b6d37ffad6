"""A training set that every classifier must be able to learn."""

import numpy as np

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet

FRUIT = ("mela rossa", "pera verde", "uva nera", "fico dolce")
TOOLS = ("martello pesante", "sega lunga", "chiave inglese", "pinza corta")
PLACES = ("in cantina", "al mercato", "sul tavolo", "in officina", "a casa", "nel cortile")


def training(multi=True, rows_per_root=2, sources=LabelSource.HUMAN):
    """72 sentences: labels "fruit" and "tool" follow from a word; a third is neither or both."""
    texts, labels = [], []
    for place in PLACES:
        for fruit, tool in zip(FRUIT, TOOLS, strict=True):
            texts += [f"C'è {fruit} {place}.", f"Prendi {tool} {place}!"]
            labels += [(1, 0), (0, 1)]
            if multi:
                texts.append(f"Niente di nuovo {place}, {fruit[:1]}{tool[:1]}.")
                labels.append((0, 0))
    n = len(texts)
    return TrainingSet(
        texts=texts,
        labels=np.array(labels, dtype=np.int8),
        weights=np.ones(n, dtype=np.float32),
        roots=np.array([f"root{i // rows_per_root}" for i in range(n)]),
        sources=[sources] * n,
        label_names=("fruit", "tool"),
        multi=multi,
    )


def rows(data, keep, labels=None):
    """Some of its rows, or with other labels."""
    keep = np.arange(len(data.texts))[keep]
    return TrainingSet(
        texts=[data.texts[i] for i in keep],
        labels=(data.labels if labels is None else labels)[keep],
        weights=data.weights[keep],
        roots=data.roots[keep],
        sources=[data.sources[i] for i in keep],
        label_names=data.label_names,
        multi=data.multi,
    )
