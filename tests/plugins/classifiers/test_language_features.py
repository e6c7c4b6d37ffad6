"""The language data of a campaign in the linear model: grammar, cues, reader; saved with it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.errors import CampaignError, ClassifierError
from biasloop.plugins.classifiers.encoded import ENCODER
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.terms.grammar import grammar_terms
from biasloop.plugins.classifiers.terms.ngrams import without_emphasis
from biasloop.plugins.classifiers.terms.reader import reader_terms
from biasloop.plugins.classifiers.terms.term_encoder import LANGUAGE
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.plugins.language.cues import cue_terms
from biasloop.plugins.language.data import Language, read_language

FOLDER = Path(__file__).parents[3] / "annotation_config" / "job_ads_it" / "counterfactual"


@pytest.fixture(scope="module")
def italian() -> Language:
    language = read_language(FOLDER)
    assert language is not None
    return language


def training_set() -> TrainingSet:
    masculine = ["un cuoco", "un cameriere", "un operaio", "il muratore", "un commesso"]
    paired = ["una persona", "un/una barista", "una risorsa", "chi ha esperienza", "una figura"]
    texts = [f"Cerchiamo {who} per la sede di Bari" for who in masculine + paired]
    return TrainingSet(
        texts=texts,
        labels=np.array([[1]] * 5 + [[0]] * 5, np.int8),
        weights=np.ones(10, np.float32),
        roots=np.array([str(i) for i in range(10)]),
        sources=[LabelSource.SEED] * 10,
        label_names=("gender",),
        multi=True,
    )


def test_words_of_one_kind_share_their_terms(italian: Language) -> None:
    cook, plumber = (set(grammar_terms(f"Cerchiamo un {w}", italian)) for w in ("cuoco", "sarto"))
    assert "determiner  ms|person any ms" in cook & plumber


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("Cerchiamo un cuoco.", "reader sought marked"),
        ("Cerchiamo un/una cuoco/a.", "reader sought paired"),
        ("Il Software Engineer ha esperienza.", "reader sought marked"),
        ("Il __Service Designer__ riporta alla direzione.", "reader sought marked"),
        ("Collaborerai con i colleghi.", "reader others marked"),
        ("Gestione del magazzino.", "reader nobody marked sure"),
        ("Sarai affiancato/a da un mentor.", "reader others neither"),
        ("Riferirai direttamente al cuoco.", "reader other named beside another"),
        ("Chi comincia avrà accanto un cuoco.", "reader other named beside another"),
        ("Siamo alla ricerca di un cuoco.", "reader any named after seeking"),
        ("Ascolto dei nostri clienti.", "reader nobody marked sure"),
        ("Bianchi Spa è il primo produttore di scope.", "reader nobody marked unsure"),
        ("Sarai subito contenta.", "reader sought implied after copulas_you"),
    ],
)
def test_what_the_reader_finds(italian: Language, text: str, finding: str) -> None:
    assert finding in set(reader_terms(without_emphasis(text), italian))


def test_cues_come_with_their_context(italian: Language) -> None:
    terms = set(cue_terms("Preferibilmente under 30, no pensionati", italian.cues))
    assert {"cue age", "cue age with preference", "cue age near exclusion"} <= terms
    broken = set(cue_terms("Età:\nmassimo\n30 anni", italian.cues))
    assert "cue age: massimo 30" in broken
    assert not any(t.startswith("cue") for t in cue_terms("Patente B", italian.cues))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("del _Junior Buyer_ e", "del Junior Buyer e"),
        ("**Store Manager**", "Store Manager"),
        ("tutt*, collegh* e candidat*", "tutt*, collegh* e candidat*"),
        ("snake_case e 3 * 4 * 5", "snake_case e 3 * 4 * 5"),
    ],
)
def test_emphasis_goes_and_open_endings_stay(text: str, plain: str) -> None:
    assert without_emphasis(text) == plain


@given(st.text(max_size=200))
def test_any_text_has_terms_and_none_holds_a_line_break(text: str) -> None:
    language = read_language(FOLDER)
    assert language is not None
    terms = [*grammar_terms(text, language), *cue_terms(text, language.cues)]
    assert all("\n" not in term for term in terms)


def test_an_unseen_word_of_a_known_kind_is_recognised_and_the_model_keeps_its_language(
    tmp_path: Path,
) -> None:
    model = Tfidf(TfidfOptions(language=FOLDER))
    model.fit(training_set(), seed=0)
    texts = ["Cerchiamo un idraulico per la sede di Bari", "Cerchiamo personale per la sede"]
    masculine, neutral = model.predict_proba(texts)[:, 0]
    assert masculine > neutral
    model.save(tmp_path)
    assert (tmp_path / ENCODER / LANGUAGE / "cues.toml").exists()
    assert np.array_equal(Tfidf.load(tmp_path).predict_proba(texts), model.predict_proba(texts))


def test_a_model_whose_language_is_damaged_is_refused(tmp_path: Path) -> None:
    model = Tfidf(TfidfOptions(language=FOLDER))
    model.fit(training_set(), seed=0)
    model.save(tmp_path)
    (tmp_path / ENCODER / LANGUAGE / "words.toml").unlink()
    with pytest.raises((ClassifierError, CampaignError), match=r"words|language"):
        Tfidf.load(tmp_path)
