"""Tests of the classifier on a frozen sentence encoder beyond the contract."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers

from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.deep.sentence_encoder import FILE, SentenceEncoder
from biasloop.plugins.classifiers.embedding import Embedding
from biasloop.plugins.classifiers.encoded import ENCODER
from biasloop.plugins.classifiers.options import EmbeddingOptions
from support.sentences import training
from support.tiny_checkpoint import make_decoder, make_encoder, make_multimodal, make_two_towers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"), training().texts)


def make(folder, **options):
    return Embedding(EmbeddingOptions(model=str(folder), **options))


@pytest.mark.parametrize("kind", [make_encoder, make_decoder, make_multimodal, make_two_towers])
def test_rows_are_mean_pooled_states_of_length_1(kind, tmp_path):
    kind(tmp_path, training().texts)
    texts = ["C'è mela rossa.", "Niente di nuovo in cantina, ms.", "x" * 500, ""]
    rows = make(tmp_path).make_encoder([]).encode(texts)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = transformers.AutoModel.from_pretrained(tmp_path).eval()
    if kind is make_two_towers:
        model = model.text_model
    for text, row in zip(texts[:2], rows, strict=False):
        with torch.inference_mode():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        expected = torch.nn.functional.normalize(states.mean(dim=0), dim=0).numpy()
        np.testing.assert_allclose(row, expected, atol=0.02)  # bfloat16, where it is fast


def test_stored_rows_score_like_their_texts(folder):
    classifier, again = make(folder), make(folder)
    data = training()
    classifier.fit(data, seed=1)
    encoder = classifier.encoder
    features = encoder.unpack(encoder.pack(encoder.encode(data.texts)))
    needs = frozenset({"proba", "embedding"})
    from_rows, from_texts = (
        classifier.score_features(features, needs),
        classifier.score(data.texts, needs),
    )
    for name in needs:
        np.testing.assert_array_equal(from_rows[name], from_texts[name])
    again.encoder = encoder
    again.fit(type(data)(**{**as_dict(data), "features": features}), seed=1)
    np.testing.assert_array_equal(
        again.score_features(features, needs)["proba"], from_rows["proba"]
    )
    joined = encoder.join([features[:3], features[3:]])
    np.testing.assert_array_equal(encoder.embed(joined), features)
    cosines = encoder.similarity(joined, joined[:4])
    np.testing.assert_allclose(cosines, features @ features[:4].T, atol=1e-6)
    np.testing.assert_allclose(cosines.diagonal(), 1, atol=1e-5)


def as_dict(data):
    return {name: getattr(data, name) for name in data.__slots__}


def test_a_committee_gives_passes(folder):
    classifier = make(folder, committee=True, folds=3)
    classifier.fit(training(), seed=1)
    assert classifier.score(["mela"], classifier.offers)["passes"].shape == (1, 3, 2)


def test_the_encoder_does_not_depend_on_the_texts(folder):
    assert make(folder).make_encoder(["a"]).id == make(folder).make_encoder(["b"], ["c"]).id
    assert make(folder).encoder_key() == make(folder, strength=1.0).encoder_key()
    assert make(folder).encoder_key() != make(folder, max_length=16).encoder_key()


def test_an_encoder_names_its_model_and_does_not_copy_it(folder, tmp_path):
    classifier = make(folder)
    classifier.fit(training(), seed=1)
    classifier.save(tmp_path)
    assert [path.name for path in (tmp_path / ENCODER).iterdir()] == [FILE]
    assert json.loads((tmp_path / ENCODER / FILE).read_text())["pretrained"]["name"] == str(folder)


def test_a_model_that_changed_or_went_away_is_named(folder, tmp_path):
    base = shutil.copytree(folder, tmp_path / "base")
    make(base).make_encoder([]).save(tmp_path)
    (base / "config.json").write_text((base / "config.json").read_text() + " ")
    with pytest.raises(ClassifierError, match="base is no longer the pretrained model"):
        SentenceEncoder.load(tmp_path)
    shutil.rmtree(base)
    with pytest.raises(ClassifierError, match=r"there is no folder .*base"):
        SentenceEncoder.load(tmp_path)


def test_torch_is_left_as_it_was(folder):
    before = torch.get_rng_state()
    make(folder).fit(training(), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
