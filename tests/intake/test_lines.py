"""Which lines of an ad are headings, and which are halves of one sentence.

Precision first: whatever may hold a requirement or name a person stays a sentence.
"""

from itertools import pairwise

import pytest

from biasloop.intake.sentences import sentences

BELOW = "\nSi lavora a Lodi."


def cut(text: str, language: str = "it") -> list[str]:
    return [text[start:end] for start, end in sentences(text, language)]


def headings(text: str, language: str = "it") -> list[str]:
    """What has letters and is in no sentence."""
    spans = [(0, 0), *sentences(text, language), (len(text), len(text))]
    between = [text[before[1] : after[0]].strip(" \n-") for before, after in pairwise(spans)]
    return [part for part in between if any(map(str.isalpha, part))]


HEADINGS = [
    "Requisiti:", "requisiti:", "Chi siamo", "Prove", "ALTRI REQUISITI", "Art. 2 – Requisiti",
    "Art. 3", "Cosa offriamo", "Cosa offriamo?", "Che cosa offriamo:", "La nostra proposta",
    "Sede di lavoro", "Di cosa ti occuperai?", "**Requisiti**", "### Responsabilità",
    "1. Requisiti", "*Requisiti**:", "REQUISITI MINIMI (personali e professionali)",
    "Competenze tecniche richieste:", "Si offre:", "La risorsa si occuperà di:",
    "Caratteristiche dell’offerta", "2) Trattamento economico",
]  # fmt: skip


@pytest.mark.parametrize("line", HEADINGS)
def test_a_heading_is_context_and_not_asked(line: str) -> None:
    assert cut(line + BELOW) == ["Si lavora a Lodi."]
    assert len(headings(line + BELOW)) == 1


CONTENT = [
    "Il tecnico:", "I tecnici", "Le tecniche:", "La titolare:",
    "Età massima 30 anni", "Bella presenza", "Cameriera di sala", "CAMERIERA DI SALA", "Automunito",
    "Solo uomini", "Solo uomini:", "Commessa:", "Segretaria richiesta:", "Requisiti del candidato:",
    "Il candidato ideale:", "Sei il candidato ideale se:", "Requisiti: bella presenza",
    "Cittadinanza italiana", "Età:", "Sesso:", "Madrelingua italiana", "Requisiti: età 18-30",
    "Nubile", "Militesente", "Esperienza richiesta: 2 anni", "Cosa ti rende unico:", "Diplomati",
    "Ruolo: impiegata", "Titolare", "- Formazione", "• Formazione aziendale", "esperienza",
    "Requisiti.", "Prova e assunzione!", "MAX 30 ANNI", "Candidati", "Giovane dinamica", "Ragazze",
    "Foto", "Patente B", "Domicilio a Lodi",
]  # fmt: skip


@pytest.mark.parametrize("line", CONTENT)
@pytest.mark.parametrize("below", [BELOW, "\n- Diploma\n- Patente"])
def test_what_may_be_labelled_is_a_sentence(line: str, below: str) -> None:
    assert headings(line + below) == []
    assert cut(line + below)[0] in line
    assert len(cut(line + below)) == len(cut(below)) + 1


@pytest.mark.parametrize("line", HEADINGS)
def test_a_heading_has_something_below_it(line: str) -> None:
    assert len(cut(line)) == 1
    assert headings(line) == []


JOINED = [
    "Per l'ampliamento del Service ricerchiamo\nTecnico elettronico",
    "Per l'ampliamento del Service ricerchiamo\n\nTECNICO ELETTRONICO",
    "Cercasi\nCameriera di sala",
    "Cercasi addetta alle pulizie\nper un complesso di uffici in zona industriale a Rezzato.",
    "Cerchiamo una segretaria\nche si occuperà di contabilità.",
    "Siamo alla ricerca di\n**Data analyst** con esperienza.",
    "Rossi S.r.l. seleziona un/una\nImpiegata contabile",
    "La figura gestirà i rapporti con gli enti del territorio e lo sviluppo\ninterno dei servizi.",
    "Esperienza di almeno\n5 anni",
    "Cercasi cameriera\r\nche conosca l’inglese",
    "Collaborerai con la\n\u2028Direzione",
]


@pytest.mark.parametrize("text", JOINED)
def test_the_halves_of_a_sentence_are_one(text: str) -> None:
    assert cut(text) == [text]
    assert cut(f"Requisiti:\n{text}\n• Patente") == [text, "Patente"]


APART = [
    "Diploma\nPatente B", "diploma\nautomunito\ndi bella presenza", "Cercasi commessa\nautomunita",
    "Cercasi commessa\nsenza figli", "Bella presenza;\ndisponibilità",
    "Cercasi commessa.\nche bello", "Cercasi commessa\n\nper informazioni 02",
    "Dai 25 anni in su\nAutomunito", "Cerchiamo:\nCommessa", "Cerchiamo\n- Commessa",
    "**Cameriera**\nper la sala", "Turno A\nCommessa", "Vedi sotto\nCommessa",
    "- Diploma\nper candidarsi telefonare", "Gruppo Ricerca\nCommessa",
    "- Diploma\n- di bella presenza", "Commessa\n---\nper la sala", "Commessa\n✅ per la sala",
    "Chi cerchiamo?\nUna commessa",
]  # fmt: skip


@pytest.mark.parametrize("text", APART)
def test_lines_that_stand_alone_are_not_joined(text: str) -> None:
    for piece in cut(text):
        assert "\n" not in piece


def test_an_indented_line_belongs_to_the_item_of_a_list_above() -> None:
    text = "- Esperienza in progetti\n    orientati agli utenti\n- Diploma\nAutomunito\n    Patente"
    first, *others = cut(text)
    assert first == "Esperienza in progetti\n    orientati agli utenti"
    assert others == ["Diploma", "Automunito", "Patente"]


def test_joined_lines_are_cut_where_their_sentences_end() -> None:
    text = (
        "Il dipartimento cerca persone esperte nella gestione di progetti. Il\n"
        "lavoro si svolge a Roma, in una sede\ndel centro. Si parte subito."
    )
    assert [" ".join(piece.split()) for piece in cut(text)] == [
        "Il dipartimento cerca persone esperte nella gestione di progetti.",
        "Il lavoro si svolge a Roma, in una sede del centro.",
        "Si parte subito.",
    ]


def test_without_words_of_the_language_the_form_decides() -> None:
    text = (
        "Anforderungen:\n- Führerschein\nKellnerin\nfür den Saal\nProfil\n"
        "Nur junge Frauen gesucht:\nKellnerin"
    )
    assert headings(text, "de") == ["Anforderungen:"]
    assert len(cut(text, "de")) == 6
    wrapped = "Wir suchen eine freundliche Kellnerin für unser Haus in\nder Stadt."
    assert cut(wrapped, "de") == cut(wrapped, "") == [wrapped]


def test_english_ads() -> None:
    text = "Requirements:\nWho we are\n- Over 18\nWaitress\nWomen only:\nWe are hiring\nA cook"
    assert cut(text, "en-GB") == [
        "Over 18",
        "Waitress",
        "Women only:",
        "We are hiring\nA cook",
    ]
