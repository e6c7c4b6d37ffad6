"""Kind 4: texts are normalised and recognised before they are used."""

import json
from typing import Any

import pytest

from biasloop.service.service import Service
from support.cli import Cli, write_jsonl
from support.small import make_campaign, make_small_workspace

PLAIN = "cerchiamo una cameriera per ufficio, età massima 30 anni"
SAME_TO_THE_EYE = {
    "soft hyphens": PLAIN.replace("cameriera", "came\u00adriera").replace("ff", "f\u00adf"),
    "zero-width spaces": PLAIN.replace("cameriera", "came\u200briera").replace("ta ", "t\u200ba "),
    "word joiners": PLAIN.replace("cameriera", "came\u2060riera").replace("ta ", "t\u2060a "),
    "decomposed": PLAIN.replace("à", "a\u0300"),
    "ligatures": PLAIN.replace("ffi", "\ufb03"),
    "full width": PLAIN.replace("30", "\uff13\uff10"),
    "no-break spaces": PLAIN.replace(" ", "\u00a0"),
    "cut at the end of a line": PLAIN.replace("cameriera", "came-\nriera"),
}


@pytest.fixture(scope="module")
def probabilities(
    cli_with_model: Cli, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, float]]:
    """What the model says of each form of the same text."""
    texts = {"plain": PLAIN} | SAME_TO_THE_EYE
    rows = [{"id": name, "text": text} for name, text in texts.items()]
    file = write_jsonl(tmp_path_factory.mktemp("texts") / "texts.jsonl", *rows)
    verdicts = [json.loads(line) for line in cli_with_model("classify", file).splitlines()]
    return {verdict["id"]: verdict["labels"] for verdict in verdicts}


@pytest.mark.parametrize("form", SAME_TO_THE_EYE)
def test_what_looks_the_same_is_judged_the_same(
    probabilities: dict[str, dict[str, float]], form: str
) -> None:
    """Case 13: an invisible character in a word took the label away."""
    assert probabilities["plain"]["genere"] > 0.5
    assert probabilities[form] == probabilities["plain"]


UNITS: dict[str, list[str]] = {
    "<p>Ristorante cerca <b>una cameriera</b>.</p><ul><li>Et&agrave; massima 30 anni</li>"
    "<li>Disponibilit&agrave; nel weekend</li></ul><br/>Inviare CV": [
        "Ristorante cerca una cameriera.",
        "Età massima 30 anni",
        "Disponibilità nel weekend",
        "Inviare CV",
    ],
    "Negozio cerca commessa.<br>Età 20-30 anni.<br>Si offre contratto.": [
        "Negozio cerca commessa.",
        "Età 20-30 anni.",
        "Si offre contratto.",
    ],
    "WWW.AZIENDA.IT cerca commessa. Candidati ora.": [
        "WWW.AZIENDA.IT cerca commessa.",
        "Candidati ora.",
    ],
    "Cercasi Resp. Amm.vo con esperienza. Inviare CV.": [
        "Cercasi Resp. Amm.vo con esperienza.",
        "Inviare CV.",
    ],
    "Sede: Ist. Prof. Sta. Maria di Bari.": ["Sede: Ist. Prof. Sta. Maria di Bari."],
    "Scrivere a info@azienda.it. Si valutano solo donne.": [
        "Scrivere a info@azienda.it.",
        "Si valutano solo donne.",
    ],
}


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """By ad, the sentences that were imported."""
    folder = tmp_path_factory.mktemp("cut")
    campaign = make_campaign(
        folder / "campaign", "gender", "none", none_label="none", unit="sentence"
    )
    rows = [{"id": str(i), "text": text} for i, text in enumerate(UNITS)]
    cli = make_small_workspace(
        folder / "workspace", campaign, [write_jsonl(folder / "ads.jsonl", *rows)]
    )
    service = Service(cli.workspace)
    items: dict[str, list[Any]] = {}
    for item in service.pool.items(range(len(service.pool))):
        items.setdefault(item.ad_id or "", []).append(item)
    service.close()
    return {ad: [i.text for i in sorted(of, key=lambda i: i.start)] for ad, of in items.items()}


@pytest.mark.parametrize("ad", UNITS)
def test_an_ad_is_cut_where_a_reader_would(cut: dict[str, list[str]], ad: str) -> None:
    """Cases 15 and 30: tags were shown to annotators, addresses and abbreviations were cut."""
    assert cut[str(list(UNITS).index(ad))] == UNITS[ad]
