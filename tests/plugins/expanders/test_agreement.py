"""Italian agreement, one case a line: masculine | feminine | paired."""

import pytest

from biasloop.plugins.expanders.gender import gender_versions
from biasloop.plugins.expanders.labels import LabelNames
from biasloop.plugins.language.data import Language

CASES = """
Cerchiamo un cuoco.|Cerchiamo una cuoca.|Cerchiamo un/una cuoco/a.
Cerchiamo un addetto.|Cerchiamo un'addetta.|Cerchiamo un/una addetto/a.
Cerchiamo uno stampatore.|Cerchiamo una stampatrice.|Cerchiamo uno/una stampatore/trice.
Cerchiamo uno psicologo.|Cerchiamo una psicologa.|Cerchiamo uno/una psicologo/a.
Cerchiamo uno gnomonista.||
Il cuoco lavora di sera.|La cuoca lavora di sera.|Il/la cuoco/a lavora di sera.
Lo stuccatore lavora di sera.|La stuccatrice lavora di sera.|Lo/la stuccatore/trice lavora di sera.
L'infermiere lavora di notte.|L'infermiera lavora di notte.|L'infermiere/a lavora di notte.
I cuochi lavorano di sera.|Le cuoche lavorano di sera.|I/le cuochi/e lavorano di sera.
Gli addetti lavorano di sera.|Le addette lavorano di sera.|Gli/le addetti/e lavorano di sera.
Gli psicologi lavorano qui.|Le psicologhe lavorano qui.|Gli/le psicologi/ghe lavorano qui.
Mansioni del cuoco|Mansioni della cuoca|Mansioni del/della cuoco/a
Mansioni dello scenografo|Mansioni della scenografa|Mansioni dello/della scenografo/a
Mansioni dell'operaio|Mansioni dell'operaia|Mansioni dell'operaio/a
Mansioni dei cuochi|Mansioni delle cuoche|Mansioni dei/delle cuochi/e
Mansioni degli operai|Mansioni delle operaie|Mansioni degli/delle operai/e
Sede comunicata al candidato|Sede comunicata alla candidata|Sede comunicata al/alla candidato/a
Colloquio con i candidati|Colloquio con le candidate|Colloquio con i/le candidati/e
Colloquio dall'educatore|Colloquio dall'educatrice|Colloquio dall'educatore/trice
Nessun candidato escluso|Nessuna candidata esclusa|Nessun/nessuna candidato/a escluso/a
Programmatore|Programmatrice|Programmatore/trice
Cuoco pignolo, massima serietà|Cuoca pignola, massima serietà|Cuoco/a pignolo/a, massima serietà
Attore|Attrice|Attore/trice
Infermiere|Infermiera|Infermiere/a
Cassiere|Cassiera|Cassiere/a
Operaio|Operaia|Operaio/a
Medico|Medica|Medico/a
Medici|Mediche|Medici/che
Chirurghi|Chirurghe|Chirurghi/e
Biologi|Biologhe|Biologi/ghe
Professore|Professoressa|Professore/essa
Professori|Professoresse|Professori/esse
Avvocato|Avvocata|Avvocato/a
Avvocati|Avvocate|Avvocati/e
Architetto|Architetta|Architetto/a
Ingegnere|Ingegnera|Ingegnere/a
Ingegneri|Ingegnere|Ingegneri/e
Revisore|Revisora|Revisore/a
Baristi|Bariste|Baristi/e
Colleghi||
Sarto|Sarta|Sarto/a
Fabbro|Fabbra|Fabbro/a
Falegname esperto|Falegname esperta|Falegname esperto/a
Segretari|Segretarie|Segretari/e
Cerchiamo un barista.|Cerchiamo una barista.|Cerchiamo un/una barista.
Cerchiamo un analista.|Cerchiamo un'analista.|Cerchiamo un/una analista.
Cerchiamo un consulente.|Cerchiamo una consulente.|Cerchiamo un/una consulente.
Cerchiamo un Project Manager.|Cerchiamo una Project Manager.|Cerchiamo un/una Project Manager.
Cerchiamo un cuoco esperto e motivato.|Cerchiamo una cuoca esperta e motivata.|\
Cerchiamo un/una cuoco/a esperto/a e motivato/a.
Cerchiamo un giovane cuoco.|Cerchiamo una giovane cuoca.|Cerchiamo un/una giovane cuoco/a.
Cerchiamo operai qualificati.|Cerchiamo operaie qualificate.|Cerchiamo operai/e qualificati/e.
Cerchiamo tecnici dinamici e pratici.|Cerchiamo tecniche dinamiche e pratiche.|\
Cerchiamo tecnici/che dinamici/che e pratici/che.
Il candidato sarà inserito nel team.|La candidata sarà inserita nel team.|\
Il/la candidato/a sarà inserito/a nel team.
I candidati saranno convocati per posta.|Le candidate saranno convocate per posta.|\
I/le candidati/e saranno convocati/e per posta.
Il candidato dovrà essere automunito.|La candidata dovrà essere automunita.|\
Il/la candidato/a dovrà essere automunito/a.
Cerchiamo un cuoco che sia motivato.|Cerchiamo una cuoca che sia motivata.|\
Cerchiamo un/una cuoco/a che sia motivato/a.
Sarai inserito in un gruppo affiatato.|Sarai inserita in un gruppo affiatato.|\
Sarai inserito/a in un gruppo affiatato.
Sei appassionato di cucina?|Sei appassionata di cucina?|Sei appassionato/a di cucina?
Patente B, automunito.|Patente B, automunita.|Patente B, automunito/a.
Requisiti: essere automuniti.|Requisiti: essere automunite.|Requisiti: essere automuniti/e.
Tutti gli interessati possono scrivere.|Tutte le interessate possono scrivere.|\
Tutti/e gli/le interessati/e possono scrivere.
Il nostro cuoco lavora di sera.|La nostra cuoca lavora di sera.|\
Il/la nostro/a cuoco/a lavora di sera.
Il candidato ha maturato esperienza.|La candidata ha maturato esperienza.|\
Il/la candidato/a ha maturato esperienza.
OPERAIO SPECIALIZZATO|OPERAIA SPECIALIZZATA|OPERAIO/A SPECIALIZZATO/A
Operaio specializzato|Operaia specializzata|Operaio/a specializzato/a
Dell’educatore si apprezza la pazienza|Dell’educatrice si apprezza la pazienza|\
Dell’educatore/trice si apprezza la pazienza
Il/la candidato/a sarà inserito nel team.|La candidata sarà inserita nel team.|\
Il/la candidato/a sarà inserito/a nel team.
""".replace("\\\n", "")


def cases() -> list[tuple[str, str, str]]:
    return [tuple(line.split("|")) for line in CASES.strip().splitlines()]  # type: ignore[misc]


def versions(text: str, labels: tuple[str, ...], language: Language, names: LabelNames):
    made = gender_versions(text, labels, language, names)
    return {draft.operation.partition("@")[0]: draft for draft in made}


@pytest.mark.parametrize(("masculine", "feminine", "paired"), cases())
def test_versions_agree(
    masculine: str, feminine: str, paired: str, italian: Language, names: LabelNames
) -> None:
    made = versions(masculine, ("gender",), italian, names)
    if not feminine:
        assert made == {}
        return
    assert made["gender:feminine"].text == feminine
    assert made["gender:feminine"].labels == ("gender",)
    assert made["gender:paired"].text == paired
    assert made["gender:paired"].labels == ("inclusive",)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("Cerchiamo cuochi.", "double", "Cerchiamo cuoche e cuochi."),
        ("Cerchiamo un cuoco.", "double", "Cerchiamo una cuoca o un cuoco."),
        ("Gli addetti lavorano qui.", "double", "Le addette e gli addetti lavorano qui."),
        ("Colloquio con l'addetto", "double", "Colloquio con l'addetta o l'addetto"),
        ("Cerchiamo un cuoco.", "open:schwa", "Cerchiamo unə cuocə."),
        ("Cerchiamo un cuoco.", "open:asterisk", "Cerchiamo un* cuoc*."),
        ("I candidati ammessi", "open:asterisk", "L* candidat* ammess*"),
        ("Programmatori", "open:schwa", "Programmatorə"),
        ("Operai", "open:asterisk", "Operai*"),
        ("Oste", "open:asterisk", "Ost*"),
        ("Dottore", "open:schwa", "Dottorə"),
        ("Cuoco/pizzaiolo", "open:asterisk", "Cuoc*/pizzaiol*"),
        ("Il candidato sarà inserito.", "neutral", "La persona candidata sarà inserita."),
        ("Cerchiamo un Data Analyst.", "neutral", "Cerchiamo una figura di Data Analyst."),
        ("Mansioni del consulente:", "neutral", "Mansioni della figura di consulente:"),
        ("Cerchiamo un cuoco.", "abbreviated", "Cerchiamo un cuoco (m/f)."),
    ],
)
def test_other_forms(
    text: str, form: str, expected: str, italian: Language, names: LabelNames
) -> None:
    made = versions(text, ("gender",), italian, names)[f"gender:{form}"]
    assert made.text == expected
    assert made.labels == ("inclusive",)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Cerchiamo un cuoco e un capellone.", ("gender",)),  # a person it does not know
        ("Cerchiamo un cuoco bislacco.", ("gender",)),  # an adjective it does not know
        ("Cerchiamo un cuoco, lo contatteremo noi.", ("gender",)),  # a pronoun
        ("Cerchiamo un cuoco.", ("inclusive",)),  # the label contradicts it
        ("Iscrizione all'albo degli avvocati.", ("gender",)),  # the name of a register
        ("Candidati ora!", ("gender",)),  # a verb
        ("La risorsa sarà inserita nel team.", ("gender",)),  # agrees with the noun
        ("Siamo appassionati di cucina.", ("gender",)),  # the authors
        ("Cerchiamo uomini e donne per la cucina.", ("gender",)),
        ("Cerchiamo un cuoco (m/f) esperto.", ("gender",)),
        ("Diplomati a indirizzo meccanico/meccatronico", ("gender",)),  # a person or a subject?
        ("Diplomati a indirizzo meccanico o meccatronico", ("gender",)),
        ("Anestesiste e anestesisti di turno", ("gender",)),
        ("Un Business Partner in relazione con i responsabili", ("gender",)),  # of whom?
    ],
)
def test_what_is_not_understood_is_left_alone(
    text: str, labels: tuple[str, ...], italian: Language, names: LabelNames
) -> None:
    assert versions(text, labels, italian, names) == {}


def test_a_pair_next_to_a_slash_is_not_written(italian: Language, names: LabelNames) -> None:
    made = versions("Cercasi cuoco/pizzaiolo per ristorante.", ("gender",), italian, names)
    assert made["gender:feminine"].text == "Cercasi cuoca/pizzaiola per ristorante."
    assert "gender:paired" not in made  # "cuoco/a/pizzaiolo/a"


@pytest.mark.parametrize(
    ("text", "labels", "form", "expected", "then"),
    [
        (
            "Lavorerai con i colleghi.",
            ("gender_others",),
            "feminine",
            "Lavorerai con le colleghe.",
            ("gender_others",),
        ),
        (
            "Lavorerai con i colleghi.",
            ("gender_others",),
            "paired",
            "Lavorerai con i/le colleghi/e.",
            ("inclusive",),
        ),
        (
            "Cerchiamo cuochi, età massima 30 anni.",
            ("gender", "age"),
            "paired",
            "Cerchiamo cuochi/e, età massima 30 anni.",
            ("age",),
        ),
        (
            "Cerchiamo un/una cuoco/a.",
            ("inclusive",),
            "masculine",
            "Cerchiamo un cuoco.",
            ("gender",),
        ),
        ("Cuoco/a", ("age",), "feminine", "Cuoca", ("age", "gender")),
    ],
)
def test_labels_follow(
    text: str,
    labels: tuple[str, ...],
    form: str,
    expected: str,
    then: tuple[str, ...],
    italian: Language,
    names: LabelNames,
) -> None:
    made = versions(text, labels, italian, names)[f"gender:{form}"]
    assert (made.text, made.labels) == (expected, then)


def test_an_article_alone_is_no_sign_of_other_people(italian: Language, names: LabelNames) -> None:
    made = versions("Un cuoco per i nostri clienti", ("gender",), italian, names)
    assert made["gender:feminine"].text == "Una cuoca per i nostri clienti"


def test_the_place_of_the_first_change_is_recorded(italian: Language, names: LabelNames) -> None:
    (place,) = {
        draft.operation.partition("@")[2]
        for draft in gender_versions("Cerchiamo un cuoco.", ("gender",), italian, names)
        if draft.operation.startswith("gender:feminine")
    }
    assert int(place) == len("Cerchiamo ")
