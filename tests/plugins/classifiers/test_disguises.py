"""A text in disguise has the features, the verdict and the evidence of the plain text."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from biasloop.domain.item import seed_item
from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.domain.text import normalise
from biasloop.plugins.classifiers.deep.batches import tokenise
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.plugins.language.analysis import analyse
from biasloop.plugins.language.data import read_language
from biasloop.plugins.language.sentence import Unsure
from biasloop.plugins.registry import Kind, create
from support.disguises import DISGUISES
from support.sentences import training
from support.tiny_checkpoint import make_encoder

ROOT = Path(__file__).parents[3]
LANGUAGE = ROOT / "annotation_config" / "job_ads_it" / "counterfactual"
SEEDS = [
    row
    for path in sorted(ROOT.glob("seeds/*/*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
    if (row := json.loads(line)).get("labels") is not None
]
TEXTS = [row["text"] for row in SEEDS]
EVERY = 25
"""Of this many seeds one is asked for its evidence, which takes as long as its words."""


@pytest.fixture(scope="module")
def classifier() -> Tfidf:
    """Trained on a part of the Italian seeds, quickly."""
    rows = SEEDS[::12]
    labels = sorted({label for row in rows for label in row["labels"]})
    tfidf = Tfidf(TfidfOptions(language=LANGUAGE, folds=2))
    tfidf.fit(
        TrainingSet(
            texts=[row["text"] for row in rows],
            labels=np.array([[name in row["labels"] for name in labels] for row in rows], np.int8),
            weights=np.ones(len(rows), np.float32),
            roots=np.array([str(i) for i in range(len(rows))]),
            sources=[LabelSource.SEED] * len(rows),
            label_names=tuple(labels),
            multi=True,
        ),
        seed=0,
    )
    return tfidf


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_every_seed_is_recognised_in_every_disguise(disguise: Callable[[str], str]) -> None:
    disguised = [disguise(text) for text in TEXTS]
    assert disguised != TEXTS
    plain = [normalise(text).text for text in TEXTS]
    assert [normalise(text).text for text in disguised] == plain


def test_every_seed_has_the_same_verdict_and_evidence(classifier: Tfidf) -> None:
    ways = list(DISGUISES.values())
    disguised = [ways[i % len(ways)](text) for i, text in enumerate(TEXTS)]
    plain_proba = classifier.predict_proba(TEXTS)
    np.testing.assert_array_equal(classifier.predict_proba(disguised), plain_proba)
    names = classifier.head.names
    for plain, other in list(zip(TEXTS, disguised, strict=True))[::EVERY]:
        expected = [
            (span.label, span.weight, normalise(plain[span.start : span.end]).text)
            for span in classifier.evidence(plain, names)
        ]
        assert expected == [
            (span.label, span.weight, normalise(other[span.start : span.end]).text)
            for span in classifier.evidence(other, names)
        ]


def test_a_sentence_in_several_lines_has_the_verdict_of_the_one_in_one_line(
    classifier: Tfidf,
) -> None:
    texts = [text for text in TEXTS if "  " not in text]
    broken = [re.sub(r" (\S+) ", r"\n    \1 ", text) for text in texts]
    assert broken != texts
    np.testing.assert_array_equal(classifier.predict_proba(broken), classifier.predict_proba(texts))


@pytest.mark.parametrize("name", ["embedding", "transformer"])
def test_pretrained_models_read_the_normalised_text(name: str, tmp_path: Path) -> None:
    data = training()
    tiny = str(make_encoder(tmp_path / "encoder", data.texts))
    quick = {"lr": 0.02, "epochs": 1, "min_steps": 40, "folds": 2} if name == "transformer" else {}
    classifier = create(Kind.CLASSIFIER, name, {"model": tiny, **quick})
    classifier.fit(data, seed=1)
    text = "Prendi la chiave inglese dal cortile"
    proba = classifier.predict_proba([text])
    evidence = classifier.evidence(text, ["tool"])
    for disguise in DISGUISES.values():
        other = disguise(text)
        np.testing.assert_array_equal(classifier.predict_proba([other]), proba)
        assert [
            normalise(other[span.start : span.end]).text
            for span in classifier.evidence(other, ["tool"])
        ] == [text[span.start : span.end] for span in evidence]


def test_tokens_of_pretrained_models_are_those_of_the_normalised_text(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(make_encoder(tmp_path / "encoder", training().texts))
    plain, other = tokenise(tokenizer, ["mela rossa", "me\u00adla\u00a0ros\u200bsa"], 20)
    assert plain == other


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_the_reader_finds_words_where_they_are_in_the_text(disguise: Callable[[str], str]) -> None:
    language = read_language(LANGUAGE)
    assert language is not None
    understood = 0
    for plain in TEXTS[::EVERY]:
        text = disguise(plain)
        try:
            expected = analyse(plain, language)
        except Unsure:
            with pytest.raises(Unsure):
                analyse(text, language)
            continue
        understood += 1
        analysis = analyse(text, language)
        assert analysis.mentions == expected.mentions
        for token in analysis.sentence.tokens:
            assert normalise(text[token.start : token.end]).text == token.text
    assert understood > 10


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_a_text_in_disguise_is_rewritten_as_the_plain_one(disguise, tmp_path: Path) -> None:
    folder = tmp_path / "campaign"
    folder.mkdir()
    (folder / "counterfactual").symlink_to(LANGUAGE)
    expander = create(Kind.EXPANDER, "counterfactual", {"folder": folder})
    text = "Cerchiamo una cameriera per il nostro locale."
    plain, other = (
        [made.item.text for made in expander.expand([(seed_item("r", t), ("gender",))], 1)]
        for t in (text, disguise(text))
    )
    assert plain == other != []
