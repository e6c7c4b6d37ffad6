"""Requests and equal-treatment formulas, added and removed."""

import pytest

from biasloop.plugins.expanders.clauses import (
    Clauses,
    clause_removals,
    clause_versions,
    disclaimer_versions,
)
from biasloop.plugins.expanders.labels import LabelNames
from biasloop.plugins.expanders.seeds import Span
from biasloop.plugins.language.data import Language

SEARCH = "Cerchiamo un cuoco per ristorante in centro."


def test_a_request_is_added_at_the_end_with_its_label(clauses: Clauses, names: LabelNames) -> None:
    made = list(clause_versions(SEARCH, ("gender",), clauses, names))
    assert {draft.labels for draft in made} == {
        ("gender", clause.label) for clause in clauses.clauses
    }
    for draft in made:
        assert draft.text.startswith(SEARCH[:-1] + ", ")
        assert draft.text.endswith(".")
        assert draft.operation == f"clause:+{draft.labels[1]}@{len(SEARCH) - 1}"


def test_the_explicit_negative_is_replaced(clauses: Clauses, names: LabelNames) -> None:
    text = "Cerchiamo una persona esperta per la cucina del ristorante."
    assert {d.labels for d in clause_versions(text, ("inclusive",), clauses, names)} == {
        (clause.label,) for clause in clauses.clauses
    }


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (SEARCH, ("gender", "age")),  # asks something already
        ("Conoscenza del pacchetto Office.", ("inclusive",)),  # seeks nobody
        ("Cerchiamo un cuoco.", ("gender",)),  # too short
        ("Cerchiamo un cuoco per il ristorante? Scrivici!", ("gender",)),
        ("Cerchiamo un cuoco e offriamo un contratto stabile.", ("gender",)),
        ("Attività di ricerca e sviluppo in laboratorio.", ("inclusive",)),
    ],
)
def test_a_request_is_not_added_where_it_does_not_fit(
    text: str, labels: tuple[str, ...], clauses: Clauses, names: LabelNames
) -> None:
    assert list(clause_versions(text, labels, clauses, names)) == []


def removed(
    text: str,
    marked: dict[str, str],
    clauses: Clauses,
    language: Language,
    names: LabelNames,
) -> list[tuple[str, tuple[str, ...]]]:
    spans = [
        Span(text.index(words), text.index(words) + len(words), label)
        for words, label in marked.items()
    ]
    labels = tuple(marked.values())
    made = clause_removals(text, labels, spans, clauses, language, names)
    return [(draft.text, draft.labels) for draft in made]


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        (
            "Impiegata di sportello, no velo, subito.",
            {"Impiegata": "gender", "no velo": "religion"},
            [("Impiegata di sportello, subito.", ("gender",))],
        ),
        (
            "Sala e bar due sere, massimo 32 anni.",
            {"massimo 32 anni": "age"},
            [("Sala e bar due sere.", ("inclusive",))],
        ),
        (
            "Addetti alla discoteca, altezza minima 1,85 e fisico.",
            {"Addetti": "gender", "altezza minima 1,85": "appearance"},
            [("Addetti alla discoteca.", ("gender",))],
        ),
        (
            "Autisti di scuolabus, preferibilmente sposati, per il plesso",
            {"preferibilmente sposati": "family"},
            [("Autisti di scuolabus per il plesso", ("inclusive",))],
        ),
        # two labels in one part, a label that stands elsewhere too, the main clause, no remark
        ("Un cuoco di sala, solo italiano.", {"solo": "origin", "italiano": "gender"}, []),
        ("Under 30 in sala, max 30 anni.", {"Under 30": "age", "max 30 anni": "age"}, []),
        ("Nella domanda, va scritta, la fede.", {"la fede": "religion"}, []),
        ("I vincitori che, senza figli.", {"senza figli": "family"}, []),
        # the rest may ask for the same: by a word of that label, or as the reason of the remark
        ("Outlet cerca ragazze svelte, max 25 anni, sabato", {"max 25 anni": "age"}, []),
        (
            "Il documento deve mostrare l'aspetto, quindi no persone trans.",
            {"no persone trans": "orientation"},
            [],
        ),
        (
            "Il rifugio si raggiunge solo a piedi, quindi no invalidi.",
            {"no invalidi": "disability"},
            [("Il rifugio si raggiunge solo a piedi.", ("inclusive",))],
        ),
    ],
)
def test_a_request_is_removed(
    text: str,
    marked: dict[str, str],
    expected: list[tuple[str, tuple[str, ...]]],
    clauses: Clauses,
    italian: Language,
    names: LabelNames,
) -> None:
    assert removed(text, marked, clauses, italian, names) == expected


def test_adding_or_removing_a_formula_changes_no_label(
    clauses: Clauses, italian: Language, names: LabelNames
) -> None:
    made = list(disclaimer_versions(SEARCH, ("gender",), clauses, italian, names))
    assert len(made) == len(clauses.disclaimers)
    for draft in made:
        assert draft.labels == ("gender",)
        (back,) = disclaimer_versions(draft.text, draft.labels, clauses, italian, names)
        assert (back.text, back.labels) == (SEARCH, ("gender",))


@pytest.mark.parametrize(
    "text",
    [
        "Cerchiamo donne per la cucina del ristorante.",
        "Cerchiamo un'attrice per la parte di Medea a teatro",
        "Cerchiamo sviluppatori esperti in Python, SQL e",
        "Requisiti: patente B, pacchetto Office, posta certificata",
    ],
)
def test_no_formula_with_a_sex_a_part_on_stage_or_a_list(
    text: str, clauses: Clauses, italian: Language, names: LabelNames
) -> None:
    assert list(disclaimer_versions(text, ("gender",), clauses, italian, names)) == []
