"""What a pretrained encoder adds to terms and reader on a campaign's seeds.

    python -m benchmarks.seeds_encoder MODEL [--campaign job_ads_it] [--states joined,mean,last]
        [--strength 2,4,8,16] [--expansion] [--json]

The folds of `benchmarks.seeds`, by root: every row is judged by a model that saw no version of it;
thresholds come from the training part of each fold. `embedding` with each form of its states and
each strength (C) next to `tfidf` with that strength; gains are paired, by root, over `tfidf` at its
default. MODEL is a local folder or a hub id. The states of all texts are computed once.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.seeds import FOLDS, SEED, arm_rows, load
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.metric import compare, evaluate
from biasloop.domain.measure.resample import Interval
from biasloop.plugins.classifiers.deep.pretrained import find_pretrained
from biasloop.plugins.classifiers.deep.sentence_encoder import SentenceEncoder
from biasloop.plugins.classifiers.encoded import EncodedClassifier
from biasloop.plugins.classifiers.head.folds import group_folds
from biasloop.plugins.classifiers.mixed.mixed_rows import MixedRows
from biasloop.plugins.classifiers.options import EmbeddingOptions, HeadOptions, TfidfOptions
from biasloop.plugins.classifiers.terms.term_encoder import TermEncoder
from biasloop.plugins.classifiers.terms.term_rows import TermRows
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.rounds.steps.train.data import columns, training_set
from biasloop.service.service import Service

TERMS = "tfidf"
DEFAULT_STRENGTH = HeadOptions().strength

Flags = NDArray[np.bool_]
Fold = tuple[NDArray[np.bool_], NDArray[np.bool_], TermEncoder, TermRows]
"""Which rows a model learns from, which it is tested on, and the terms of all rows."""


def make_folds(service: Service, data: pd.DataFrame) -> list[Fold]:
    """The folds by root; each has terms of its training texts."""
    scheme, texts = service.campaign.scheme, data["text"].tolist()
    labels = data[columns(scheme.labels)].to_numpy(np.int8)
    fold_of = group_folds(labels, data["root"].to_numpy(str), FOLDS, SEED)
    tfidf = Tfidf(TfidfOptions(language=service.steps.lookups.recipe.linear.get("language")))
    folds = []
    for fold in range(FOLDS):
        train, held_out = fold_of != fold, fold_of == fold
        encoder = tfidf.make_encoder(data["text"][train].tolist())
        folds.append((train, held_out, encoder, encoder.encode(texts)))
    return folds


def cross_validate(
    service: Service, data: pd.DataFrame, folds: list[Fold], states: Any, strength: float
) -> tuple[NDArray[np.float64], Flags]:
    """Probabilities and flags (n, k), out of fold; if `states` is None, by the terms alone."""
    scheme = service.campaign.scheme
    proba = np.zeros((len(data), len(scheme.labels)))
    flags = np.zeros(proba.shape, bool)
    for train, held_out, encoder, terms in folds:
        rows = terms if states is None else MixedRows(terms, states)
        classifier = EncodedClassifier(HeadOptions(strength=strength))
        classifier.encoder = encoder
        examples = training_set(data[train], scheme.labels, scheme.multi)
        classifier.fit(replace(examples, features=rows[train]), seed=SEED)
        scores = classifier.score_features(rows[held_out], frozenset({"proba"}))
        proba[held_out] = scores["proba"]
        flags[held_out] = proba[held_out] >= classifier.thresholds
    return proba, flags


def encode(model: str, texts: list[str]) -> dict[str, NDArray[Any]]:
    """The states of all texts by form."""
    length = EmbeddingOptions(model=model).max_length
    encoder = SentenceEncoder(find_pretrained(model), length, "joined")
    joined = encoder.encode(texts)
    last = joined[:, -joined.shape[1] // len(encoder.layers) :]
    return {
        "joined": joined,
        "mean": encoder.embed(joined),
        "last": last / np.linalg.norm(last.astype(np.float32), axis=1, keepdims=True),
    }


def figures(
    service: Service, data: pd.DataFrame, baseline: Flags, run: tuple[NDArray[np.float64], Flags]
) -> dict[str, Any]:
    """The figures of one run and its paired gain over the baseline, on seeds only."""
    scheme = service.campaign.scheme
    seeds = (data["source"] == LabelSource.SEED).to_numpy()
    truth = data[columns(scheme.labels)].to_numpy(np.int8)[seeds]
    roots = data["root"].to_numpy(str)[seeds]
    how: dict[str, Any] = {"multi": True, "seed": SEED, "min_positives": 10}
    proba, flags = (array[seeds] for array in run)
    return {
        "report": evaluate(truth, proba, flags, roots, scheme.labels, **how).as_dict(),
        "gain": compare(truth, baseline[seeds], flags, roots, scheme.labels, **how).as_dict(),
    }


def main() -> None:
    """Prints a line per form and strength."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a local folder or a hub id")
    parser.add_argument("--campaign", default="job_ads_it")
    parser.add_argument("--states", default="joined", help="joined,mean,last")
    parser.add_argument("--strength", default=str(DEFAULT_STRENGTH))
    parser.add_argument("--expansion", action="store_true", help="learn from all versions as well")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service, data = load(arguments.campaign, Path(folder) / "workspace")
        if not arguments.expansion:
            data = data[arm_rows(data, "seeds")].reset_index(drop=True)
        folds = make_folds(service, data)
        start = time.process_time()
        states = encode(arguments.model, data["text"].tolist())
        print(f"{len(data)} rows, encoded in {time.process_time() - start:.0f} CPU seconds")
        _, baseline = cross_validate(service, data, folds, None, DEFAULT_STRENGTH)
        for strength in map(float, arguments.strength.split(",")):
            for form in (TERMS, *arguments.states.split(",")):
                run = cross_validate(service, data, folds, states.get(form), strength)
                line = figures(service, data, baseline, run)
                show({"form": form, "strength": strength, **line}, arguments.json)


def show(line: dict[str, Any], as_json: bool) -> None:
    """Prints one line, as JSON or for people."""
    if as_json:
        print(json.dumps(line), flush=True)
        return
    labels = line["report"]["labels"]
    cells = (f"{n} {c['f1']['value']:.2f}" for n, c in labels.items() if c["f1"])
    macro, gain = (Interval(**line[name]["macro"]) for name in ("report", "gain"))
    print(
        f"{line['form']:7} C {line['strength']:<4g} macro {macro} gain {gain}  {'; '.join(cells)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
