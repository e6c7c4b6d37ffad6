"""Who is sought and who is another, and what shows another person's gender."""

from pathlib import Path

import pytest

from biasloop.plugins.language.clauses import read_clauses
from biasloop.plugins.language.data import Language, read_language
from biasloop.plugins.language.roles import roles, shows_gender

FOLDER = Path(__file__).parents[3] / "annotation_config" / "job_ads_it" / "counterfactual"
LANGUAGE = read_language(FOLDER)
assert LANGUAGE is not None
ITALIAN: Language = LANGUAGE


def found(text: str) -> list[str]:
    """Role and words of each person, with a star at words that show the gender."""
    return [
        " ".join([
            role,
            *(
                clause.analysis.sentence.tokens[i].text
                + "*" * shows_gender(clause.analysis, mention, i, role)
                for i in sorted(mention.words)
            ),
        ])
        for clause in read_clauses(text, ITALIAN)
        for mention, role in zip(clause.analysis.mentions, roles(clause.analysis), strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "people"),
    [
        # By what stands before them.
        ("Lavorerai con due sarte.", ["other sarte*"]),
        ("Entrerai in un team di sarti", ["other sarti*"]),
        ("Guida di squadre numerose di muratori", ["other muratori*"]),
        ("Una bottega con oltre 30 sarti", ["other sarti*"]),
        ("I nostri sarti tagliano a mano", ["other I* nostri* sarti*"]),
        ("Aiutare il magazziniere nel carico", ["other il* magazziniere*"]),
        ("Riportare al capocantiere o al geometra", ["other al capocantiere", "other al geometra"]),
        ("Un sarto ti guiderà in bottega", ["other Un* sarto*"]),
        ("Ascolto delle richieste dei giornalisti", ["other dei* giornalisti*"]),
        ("Confronto con la direzione e i sarti", ["other i* sarti*"]),
        ("Lavorerai insieme alla sarta", ["other alla* sarta*"]),
        ("Studio dei vari attori coinvolti", []),
        # But not who is sought.
        ("Cerchiamo il nostro sarto", ["any il* nostro* sarto*"]),
        ("Sei il nostro sarto?", ["any il* nostro* sarto*"]),
        ("Il nostro futuro sarto taglia a mano", ["any Il* nostro* futuro* sarto*"]),
        # Articles, possessives and words of quantity show nothing of others in one form.
        ("Ascolto dei nostri clienti", ["other dei nostri clienti"]),
        ("Visite a vari clienti", ["other vari clienti"]),
        ("Aiuto a clienti anziani", ["other clienti anziani*"]),
        ("Per noto cliente del Lazio serve una sarta", ["other noto cliente", "any una* sarta*"]),
        ("Cura delle alunne", ["other delle* alunne*"]),
        # A firm that speaks of itself.
        ("Bianchi Spa è il primo produttore di scope", []),
        ("In qualità di esperti del legno, forniamo infissi", ["firm esperti*"]),
        ("Fustelli è un restauratore di mobili", ["firm un* restauratore*"]),
        # Pronouns.
        ("Un posto dove ognuno si senta accolto", ["other ognuno*"]),
        ("Ascolti gli altri.", ["other altri*"]),
        ("Gli altri documenti e tutti i turni", []),
        ("Ferie per tutti", ["any tutti*"]),
    ],
)
def test_who_is_another_and_what_shows_the_gender(text: str, people: list[str]) -> None:
    assert found(text) == people
