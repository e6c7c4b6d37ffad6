"""A workspace with a model, for all tests of this folder, made by commands once per run."""

import pytest

from support.cli import Cli, write_jsonl
from support.small import draw_texts, make_campaign, make_small_workspace

WOMAN, AGE = "cerchiamo una cameriera", "età massima 30 anni"


@pytest.fixture(scope="session")
def cli_with_model(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Its model learned two labels, each from its own words, and a rare one that no word gives
    away. Only for reading."""
    folder = tmp_path_factory.mktemp("model")
    rows = []
    for n, text in enumerate(draw_texts(240, seed=3)):
        label, words = {1: ("genere", WOMAN), 2: ("eta", AGE)}.get(n % 6, ("niente", ""))
        if n % 24 == 0:
            label = "rara"
        rows.append({"id": str(n), "text": f"{words} {text}", "label": label})
    campaign = make_campaign(
        folder / "campaign", "niente", "genere", "eta", "rara", none_label="niente"
    )
    file = write_jsonl(folder / "rows.jsonl", *rows)
    cli = make_small_workspace(folder / "workspace", campaign, [file])
    cli("train")
    return cli
