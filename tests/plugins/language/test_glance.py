"""The reader that guesses: whom it finds in sentences that the cautious one does not read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.plugins.language.analysis import analyse
from biasloop.plugins.language.data import Language, read_language
from biasloop.plugins.language.glance import glance
from biasloop.plugins.language.mentions import Analysis, Mention
from biasloop.plugins.language.sentence import Unsure

FOLDER = Path(__file__).parents[3] / "annotation_config" / "job_ads_it" / "counterfactual"
LANGUAGE = read_language(FOLDER)
assert LANGUAGE is not None
ITALIAN: Language = LANGUAGE


def summary(analysis: Analysis, mention: Mention) -> str:
    words = " ".join(analysis.sentence.tokens[i].text for i in sorted(mention.words))
    if any(analysis.marked(mention, index) for index in mention.words):
        return f"{mention.gender} {words}"
    return f"{'both' if analysis.paired(mention) else '-'} {words}"


@pytest.mark.parametrize(
    ("text", "people"),
    [
        # Both genders of one person, side by side.
        ("La candidata o il candidato ha una laurea.", ["both La candidata il candidato"]),
        ("Le addette e gli addetti inseriti in turno", ["both Le addette gli addetti inseriti"]),
        ("L'ingaggiato o l'ingaggiata sceglie il turno", ["both ingaggiato"]),
        ("Un cuoco/una cuoca e un addetto", ["both Un cuoco una cuoca", "m un addetto"]),
        ("Cercasi grafico o grafica per tre mesi", ["both grafico"]),
        ("Serve un tecnico o una tecnica con patente", ["both un tecnico"]),
        # An adjective after a comma may be of the thing that follows.
        ("Cuoco/a pignolo/a, massima serietà", ["both Cuoco/a pignolo/a"]),
        ("La nostra futura o il nostro futuro Sales Manager", ["both il nostro futuro Manager"]),
        ("Diamo fiducia a uno o una che osa.", ["both una"]),
        # A pronoun with a clause of its own; a verb that looks like an adjective.
        ("Ci manca una che sappia leggere le partiture", ["f una"]),
        # Words for things that are people here: by a verb, a title, what is said of them.
        ("Sei un grafico preciso?", ["m un grafico preciso"]),
        ("La grafica di reparto aggiorna il catalogo", ["f La grafica"]),
        ("La grafica del sito è nuova", []),
        ("Lavoro come fisica in ospedale", ["f fisica"]),
        ("Serve la Delivery Leader per Roma", ["f la Leader"]),
        ("I leader assunti avranno un'auto", ["m I leader assunti"]),
        ("L'aiuto pasticciere di turno", ["m pasticciere"]),
        # The same with an adjective before them.
        ("Cerchiamo una brava tecnica di laboratorio", ["f una brava tecnica"]),
        ("Cerchiamo una nuova chimica", ["f una nuova chimica"]),
        ("Sei un bravo grafico?", ["m un bravo grafico"]),
        ("Sarai la nostra nuova informatica", ["f la nostra nuova informatica"]),
        ("La nostra informatica segue la rete", ["f La nostra informatica"]),
        ("Usiamo una nuova tecnica di saldatura", []),
        ("Serve una solida tecnica di base", []),
        ("La nostra chimica industriale cresce", []),
        ("La nuova meccanica del gioco piace", []),
        # Words that are nouns, adjectives or participles.
        ("Assumiamo due tecnici", ["m tecnici"]),
        ("Requisiti tecnici: patente B", []),
        ("Cerchiamo un'informatica", ["f un' informatica"]),
        ("Laurea in informatica e cultura informatica", []),
        ("Le candidate sono trattate alla pari", ["f Le candidate trattate"]),
        ("I candidati sono trattati con rispetto", ["m I candidati trattati"]),
        ("I temi trattati sono due, i trattati tre", []),
        ("I costi sono contenuti e i contenuti nuovi", []),
        ("I prodotti sono venduti a pezzi, prodotti qui", []),
        # Adjectives that do not describe the person named.
        ("Profilo di barista svelto al banco", ["- barista"]),
        ("Serve un cuoco con una forte tenuta ai fornelli", ["m un cuoco"]),
        ("Un cuoco deve tenere puliti i banconi", ["m Un cuoco"]),
        ("Un/una barista, libera iniziativa", ["both Un/una barista"]),
        ("Il/la barista lavora sul serio e dà il benvenuto", ["both Il/la barista"]),
        ("Una cuoca in area tecnico/informatica", ["f Una cuoca"]),
        ("Si precisa che serve un cuoco", ["m un cuoco"]),
        ("Chi deve raccogliere e accogliere", []),
        ("Hai già pratica di cucina?", []),
        ("Sei già pratica di cucina?", ["f pratica"]),
        ("Nel laboratorio la fisica registra i dati", ["f la fisica"]),
        ("La tecnica di cura è nuova", []),
        # A participle with an article, before a verb outside the lexicon; a number, not a verb.
        ("La prescelta firma e tesse", ["f prescelta"]),
        ("Per sei mesi contabilità affidata", []),
        ("Le prove di aspiranti insegnanti sono valutate", ["- aspiranti", "- insegnanti"]),
        ("Ti sentiresti valorizzata da noi?", ["f valorizzata"]),
        # The person who acts is not the one sought.
        ("Sarai formato/a da un cuoco.", ["both formato/a", "m un cuoco"]),
        # A sign of both genders.
        ("Un addetto vendite m/f per la sede", ["both Un addetto"]),
        ("Programmatore (m/f/d)", ["both Programmatore"]),
        # Words outside the lexicon: by their shape, after "to be", in a slash pair.
        ("Cerchiamo un zincatore", ["m un zincatore"]),
        ("Si cerca un Cloud Provisioner", ["m un Provisioner"]),
        ("Sarai formato e catapultato sul campo", ["m formato catapultato"]),
        ("Una Sales Manager allergica/o alla noia", ["f Una Manager allergica/o"]),
        # What only looks like a person.
        ("Profilo ostetrico con esperienza", []),
        ("Candidati subito!", []),
        ("Portatile, di sicuro utile", []),
        # Adjectives of things and firms describe nobody.
        ("Turno in modalità ibrida", []),
        ("Pratica di sartoria, maturata in bottega", []),
        ("Bianchi Spa è autorizzata dal ministero", []),
        ("Ferrolo è guidata dalla famiglia", []),
        ("Nuova e ampia sede, inserita nel verde", []),
        ("Fisso garantito e premi", []),
        ("I curricula saranno esaminati", []),
        ("I dati trattati e i contenuti prodotti in bottega", []),
        ("Prodotti e contenuti nuovi", []),
        # An unnamed person: whom the text speaks to, an infinitive, no noun before.
        ("Con il tuo talento sarai inserito in bottega", ["m inserito"]),
        ("Il laboratorio è nuovo e sarai guidata", ["f guidata"]),
        ("Bisogna essere automuniti", ["m automuniti"]),
        ("Fortemente motivata, precisa", ["f motivata precisa"]),
        ("Preciso e attento", ["m Preciso attento"]),
        ("Esperienza in sartoria, automunita", ["f automunita"]),
        ("La risorsa sarà guidato da noi in bottega", ["m guidato"]),
        ("Cerchiamo sei sarti curiosi", ["m sarti curiosi"]),
        # The name of a certificate; a title before a noun that it does not agree with.
        ("Serve la certificazione Scrum Master", []),
        ("Diploma di perito informatico", []),
        ("Serve un responsabile relazioni", ["m un responsabile"]),
        # A person whose name stands on the next line.
        ("La nostra azienda ricerca un", []),
        ("La nostra azienda ricerca un nuovo", ["m un nuovo"]),
    ],
)
def test_people_are_found(text: str, people: list[str]) -> None:
    analysis = glance(text, ITALIAN)
    assert [summary(analysis, mention) for mention in analysis.mentions] == people


@pytest.mark.parametrize(
    ("text", "person"), [("Ci serve un grafico.", True), ("Cura di un grafico.", False)]
)
def test_a_word_for_a_person_or_a_thing(text: str, person: bool) -> None:
    with pytest.raises(Unsure):
        analyse(text, ITALIAN)
    assert bool(glance(text, ITALIAN).mentions) == person


def test_a_plural_participle_outside_the_lexicon_is_masculine() -> None:
    assert {ITALIAN.guess(word) for word in ("zuccherati", "imbottiti", "tessuti")} == {
        frozenset({"mp"})
    }


@given(st.text(max_size=120))
def test_any_text_can_be_read(text: str) -> None:
    analysis = glance(text, ITALIAN)
    assert all(mention.words for mention in analysis.mentions)
