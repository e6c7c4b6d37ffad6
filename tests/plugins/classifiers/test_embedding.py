"""Tests of the classifier on a frozen sentence encoder beyond the contract."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers

from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers import embedding
from biasloop.plugins.classifiers.deep import sentence_encoder
from biasloop.plugins.classifiers.deep.pretrained import find_pretrained
from biasloop.plugins.classifiers.deep.sentence_encoder import FILE, SentenceEncoder, middle_layers
from biasloop.plugins.classifiers.embedding import Embedding
from biasloop.plugins.classifiers.encoded import ENCODER
from biasloop.plugins.classifiers.mixed.mixed_encoder import STATES, MixedEncoder
from biasloop.plugins.classifiers.mixed.mixed_rows import MixedWeighting
from biasloop.plugins.classifiers.options import EmbeddingOptions
from support.sentences import training
from support.tiny_checkpoint import make_decoder, make_encoder, make_multimodal, make_two_towers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"), training().texts)


def make(folder, **options):
    return Embedding(EmbeddingOptions(model=str(folder), **options))


def expected_states(tmp_path, kind, text):
    """Mean states after every layer, of length 1: (l + 1, e)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = transformers.AutoModel.from_pretrained(tmp_path).eval()
    if kind is make_two_towers:
        model = model.text_model
    with torch.inference_mode():
        output = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
    states = (*output.hidden_states[:-1], output.last_hidden_state)
    means = torch.stack([layer[0].mean(dim=0) for layer in states])
    return torch.nn.functional.normalize(means, dim=1).numpy()


KINDS = [make_encoder, make_decoder, make_multimodal, make_two_towers]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["joined", "mean", "last"])
def test_states_are_mean_pooled_and_of_length_1(kind, form, tmp_path):
    kind(tmp_path, training().texts)
    texts = ["C'è mela rossa.", "Niente di nuovo in cantina, ms.", "x" * 500, ""]
    encoder = SentenceEncoder(find_pretrained(str(tmp_path)), 256, form)
    rows = encoder.encode(texts)
    assert rows.shape == (4, encoder.width)
    assert rows.dtype == (np.float32 if form == "last" else np.float16)
    np.testing.assert_allclose(np.linalg.norm(rows.astype(float), axis=1), 1, rtol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(encoder.embed(rows), axis=1), 1, rtol=1e-3)
    for text, row in zip(texts[:2], rows, strict=False):
        layers = expected_states(tmp_path, kind, text)[encoder.layers]
        row_expected = layers.ravel() if form == "joined" else layers.mean(axis=0)
        row_expected /= np.linalg.norm(row_expected)
        np.testing.assert_allclose(row, row_expected, atol=0.02)  # bfloat16, where it is fast


@pytest.mark.parametrize("form", ["joined", "mean", "last"])
def test_texts_are_encoded_in_chunks(folder, form, monkeypatch):
    texts = [f"{text} {'mela ' * n}" for n, text in enumerate(training().texts[:9])]
    encoder = SentenceEncoder(find_pretrained(str(folder)), 256, form)
    whole = encoder.encode(texts)
    monkeypatch.setattr(sentence_encoder, "CHUNK_TEXTS", 4)
    np.testing.assert_allclose(encoder.encode(texts), whole, atol=0.02)  # bfloat16
    assert encoder.encode([]).shape == (0, encoder.width)


@pytest.mark.parametrize(
    ("depth", "layers"),
    [(1, [0, 1]), (6, [3, 4, 5, 6]), (12, [6, 8, 10, 12]), (24, [12, 16, 20, 24])],
)
def test_layers_are_spaced_from_the_middle_to_the_end(depth, layers):
    assert middle_layers(depth) == layers


def test_a_large_pool_has_narrower_rows(folder, monkeypatch):
    monkeypatch.setattr(embedding, "LARGE_POOL", 3)
    small, large = (make(folder).make_encoder(["mela"], ["pera"] * n).states for n in (2, 3))
    assert (small.form, large.form) == ("joined", "mean")
    assert large.width < small.width
    wanted = make(folder, states="joined").make_encoder(["mela"], ["pera"] * 3).states
    assert wanted.form == "joined"


def test_a_model_of_the_last_layer_alone_can_still_be_read(folder, tmp_path):
    """Models were saved so before there were terms next to the states."""
    data = training()
    old = make(folder, strength=0.005)
    old.encoder = SentenceEncoder(old.find_pretrained_model(), 256, "last")
    old.fit(data, seed=1)
    old.save(tmp_path)
    file = tmp_path / ENCODER / FILE
    state = json.loads(file.read_text())
    assert state.pop("form") == "last"
    file.write_text(json.dumps(state))
    again = Embedding.load(tmp_path)
    np.testing.assert_array_equal(again.predict_proba(data.texts), old.predict_proba(data.texts))


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
    np.testing.assert_array_equal(joined.states, features.states)
    np.testing.assert_array_equal(encoder.embed(joined), encoder.embed(features))
    cosines = encoder.similarity(joined, joined[:4])
    np.testing.assert_allclose(cosines.diagonal(), 1, atol=1e-3)
    weighting = MixedWeighting.fit(features)
    coef = np.random.default_rng(0).normal(size=(weighting.matrix(features).shape[1], 3))
    coef = coef.astype(np.float32)
    expected = weighting.matrix(features) @ coef
    np.testing.assert_allclose(weighting.scores(features, coef), expected, atol=1e-4)


def as_dict(data):
    return {name: getattr(data, name) for name in data.__slots__}


def test_a_committee_gives_passes(folder):
    classifier = make(folder, committee=True, folds=3)
    classifier.fit(training(), seed=1)
    assert classifier.score(["mela"], classifier.offers)["passes"].shape == (1, 3, 2)


def test_the_states_do_not_depend_on_the_texts(folder):
    one, other = make(folder).make_encoder(["a"]), make(folder).make_encoder(["b"], ["c"])
    assert one.states.id == other.states.id
    assert one.id != other.id
    assert make(folder).encoder_key() == make(folder, strength=1.0).encoder_key()
    assert make(folder).encoder_key() != make(folder, max_length=16).encoder_key()
    assert make(folder).encoder_key() != make(folder, states="mean").encoder_key()


def test_an_encoder_names_its_model_and_does_not_copy_it(folder, tmp_path):
    classifier = make(folder)
    classifier.fit(training(), seed=1)
    classifier.save(tmp_path)
    states = tmp_path / ENCODER / STATES
    assert [path.name for path in states.iterdir()] == [FILE]
    assert json.loads((states / FILE).read_text())["pretrained"]["name"] == str(folder)


def test_a_model_that_changed_or_went_away_is_named(folder, tmp_path):
    base = shutil.copytree(folder, tmp_path / "base")
    make(base).make_encoder(["mela"]).save(tmp_path)
    (base / "config.json").write_text((base / "config.json").read_text() + " ")
    with pytest.raises(ClassifierError, match="base is no longer the pretrained model"):
        MixedEncoder.load(tmp_path)
    shutil.rmtree(base)
    with pytest.raises(ClassifierError, match=r"there is no folder .*base"):
        MixedEncoder.load(tmp_path)


def test_torch_is_left_as_it_was(folder):
    before = torch.get_rng_state()
    make(folder).fit(training(), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
