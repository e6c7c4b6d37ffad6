"""Another wording of a flagged sentence, where the language data know a sure one."""

from pathlib import Path

import pytest

from biasloop.plugins.expanders.neutral import NeutralWriter
from biasloop.workspace.campaign import shipped


@pytest.fixture(scope="module")
def writer() -> NeutralWriter:
    folder, _ = shipped("job_ads_it")
    return NeutralWriter(folder)


def test_a_sentence_about_one_gender_has_another_wording(writer: NeutralWriter) -> None:
    assert writer.rewrite("Il candidato ideale è abituato a lavorare in gruppo.", ["gender"]) == (
        "La persona candidata ideale è abituata a lavorare in gruppo."
    )


def test_nothing_is_written_where_nothing_is_sure(writer: NeutralWriter, tmp_path: Path) -> None:
    assert writer.rewrite("Età massima 30 anni.", ["age"]) is None
    assert writer.rewrite("Orario serale.", ["gender"]) is None
    assert NeutralWriter(tmp_path).rewrite("Cercasi cuoco.", ["gender"]) is None
