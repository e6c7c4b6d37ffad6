"""Words that no text has any more leave a model, and its verdicts on other texts stay the same."""

from pathlib import Path

import numpy as np
import pytest

from biasloop.plugins.classifiers.forgetting import (
    FORGOTTEN,
    WordsInUse,
    forget_words,
    quoted_words,
)
from biasloop.plugins.classifiers.terms.term_encoder import FILE, TermEncoder
from biasloop.plugins.classifiers.tfidf import Tfidf, TfidfOptions
from biasloop.plugins.registry import Kind, create, load_classifier, names
from support.cli import REPOSITORY
from support.disk_contents import places_of
from support.sentences import training
from support.tiny_checkpoint import make_encoder

ITALIAN = REPOSITORY / "annotation_config" / "job_ads_it" / "counterfactual"
GONE = "Cerchiamo uno zorblaquista giovane, responsabile di klarvixi, per trompekko_2."
QUICK = {"lr": 0.02, "epochs": 1, "min_steps": 40, "folds": 2}


@pytest.mark.parametrize("name", names(Kind.CLASSIFIER))
def test_a_model_forgets_a_text_and_judges_others_as_before(name: str, tmp_path: Path) -> None:
    data = training()
    others = list(data.texts)
    data.texts[:] = [*data.texts[:-1], GONE]
    options = {}
    if name != "tfidf":
        tiny = {"model": str(make_encoder(tmp_path / "encoder", others))}
        options = tiny | (QUICK if name == "transformer" else {})
    classifier = create(Kind.CLASSIFIER, name, options)
    classifier.fit(data, seed=1)
    (folder := tmp_path / "model").mkdir()
    classifier.save(folder)
    before = load_classifier(name, folder).predict_proba(others)
    words = {"zorbl", "klarv", "trompe", "ompekk"}
    assert places_of(words, folder)

    assert forget_words(folder, WordsInUse(others)) > 0

    assert places_of(words, folder) == []
    np.testing.assert_array_equal(load_classifier(name, folder).predict_proba(others), before)
    assert forget_words(folder, WordsInUse(others)) == 0


def test_words_in_terms_of_the_language_are_forgotten_and_kinds_of_words_stay(
    tmp_path: Path,
) -> None:
    data = training()
    data.texts[0] = GONE
    classifier = Tfidf(TfidfOptions(language=ITALIAN))
    classifier.fit(data, seed=1)
    classifier.save(tmp_path)
    (path,) = tmp_path.rglob(FILE)
    before = TermEncoder.load(path.parent).vocabularies
    quoting = [term for name in ("grammar", "reader") for term in before[name] if "zorbl" in term]
    assert quoting
    forget_words(tmp_path, WordsInUse(data.texts[1:]))
    after = TermEncoder.load(path.parent).vocabularies
    for block in before:
        for old, new in zip(before[block], after[block], strict=True):
            assert new == old or new.startswith(FORGOTTEN)
            assert "zorbl" not in new
    kept = [*after["grammar"], *after["reader"]]
    assert sum(term.startswith("reader ") for term in kept) >= 5
    assert any(term.startswith("person ") for term in kept)


@pytest.mark.parametrize(
    ("block", "term", "quoted"),
    [
        ("words", "cuoco esperto", "cuoco esperto"),
        ("grammar", "determiner ms|person ms", ""),
        ("grammar", "person ms|esperto", "esperto"),
        ("grammar", "thing|person ms", ""),
        ("cues", "cue age", ""),
        ("cues", "cue age: under 30", "under 30"),
        ("reader", "reader sought marked sure", ""),
        ("reader", "reader sought named of squadra", "squadra"),
    ],
)
def test_what_a_term_quotes(block: str, term: str, quoted: str) -> None:
    assert quoted_words(block, term, {"thing", "number"}) == quoted
