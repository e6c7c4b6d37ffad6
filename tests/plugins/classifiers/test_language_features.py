"""The language data of a campaign in the linear model: grammar, cues, reader; saved with it."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.errors import CampaignError, ClassifierError
from biasloop.plugins.classifiers.encoded import ENCODER
from biasloop.plugins.classifiers.erasure import evidence_spans, words_and_erased
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.terms import grammar
from biasloop.plugins.classifiers.terms.grammar import grammar_terms
from biasloop.plugins.classifiers.terms.ngrams import without_emphasis
from biasloop.plugins.classifiers.terms.reader import reader_terms
from biasloop.plugins.classifiers.terms.term_encoder import LANGUAGE
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.plugins.language import clauses, data, tokens, words
from biasloop.plugins.language import cues as cues_of_language
from biasloop.plugins.language.cues import cue_terms, read_cues
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
        ("Cerchiamo talenti e un cuoco.", "reader any named after seeking"),
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
        ("un ***Store Manager*** e", "un Store Manager e"),
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


# --- what makes it fast changes nothing -----------------------------------------------------------

VOCABULARY = """
cuoco/a un/una il la Cuoco cuoco e o □ tutt* tutt@ dell’operatore d' D.Lgs. l. sei sarai giovane
anni 25-40 oltre 30 da oltre nativa italiana di nuovo/a in proprio/di il benvenuto perché è bravo
brava/o non presenza su presenza, giovanile (m/f) responsabile delle vendite ragazz* _forte_
**madrelingua** inglese e\u0300 ne\u00adgozio nat/o nel 104 68/99 diversamente abile"""
CUES = r"ab? ab a\w*b a\sb (?:a|b)c a|b [ab]+\b \W?a (?<!a\s)b l\. a+b ba{2} ['’]a b\b c"
TEXTS = st.one_of(
    st.lists(st.sampled_from(VOCABULARY.split()), max_size=60).map(" ".join),
    st.text("abelnosìù0'’/*@-.,; \n\t□", max_size=80),
    st.text(max_size=80),
)


@given(TEXTS)
def test_cues_are_those_of_each_pattern_alone(text: str) -> None:
    cues = read_cues(FOLDER / "cues.toml")
    found = cues.matches(text)
    for pattern in (*cues.labels.values(), *cues.operators.values()):
        expected = [match.span() for match in pattern.finditer(text)]
        assert [match.span() for match in found.get(pattern, [])] == expected


@given(st.lists(st.sampled_from(CUES.split()), max_size=6), st.text("abcl.' ’-", max_size=20))
def test_any_kind_of_cue_is_found(alternatives: list[str], text: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "cues.toml")
        words = json.dumps(" ".join(alternatives))
        file.write_text(f"[label]\nx = {words}\n[operator]\n", "utf-8")
        cues = read_cues(file)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})")
    spans = [match.span() for match in cues.matches(text).get(cues.labels["x"], [])]
    assert spans == [match.span() for match in pattern.finditer(text)]


@pytest.fixture(scope="module")
def classifier() -> Tfidf:
    classifier = Tfidf(TfidfOptions(language=FOLDER))
    classifier.fit(training_set(), seed=1)
    return classifier


@given(TEXTS)
@settings(deadline=None)
def test_evidence_is_that_of_texts_that_are_scored_alone(classifier: Tfidf, text: str) -> None:
    assert classifier.encoder is not None
    places, erased = words_and_erased(text)
    scores = []
    for variant in (text, *erased):
        _forget()
        scores.append(classifier.head.model.scores(classifier.encoder.encode([variant])))
    drops = scores[0] - np.concatenate(scores)[1:]
    expected = evidence_spans(places, drops[:, 0], "gender")
    assert classifier.evidence(text, ["gender"]) == expected


def _forget() -> None:
    """Empties the caches of the reader."""
    for module in (clauses, cues_of_language, data, grammar, tokens, words):
        for function in vars(module).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()
