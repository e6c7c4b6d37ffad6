"""A real model behind a real server, through the whole expand step."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from biasloop.language_model import open_model
from biasloop.llm.server import DIALECTS
from llm.conftest import Open
from llm.support import expand, synthesis, written
from tiny_llm import tiny_llm


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tiny_llm() as found:
        yield found


def test_every_answer_is_by_the_schema(open_: Open, url: str) -> None:
    biasloop = open_(url=url, texts=60, timeout_seconds=60, patience_seconds=120)
    done = expand(biasloop)
    found = synthesis(done)
    assert (found["stopped"], found["not_asked"]) == (None, 0)
    assert found["asked"] == 60
    assert not {"schema", "no_answer"} & set(found["refused"])
    assert found["spending"]["requests"] > 60
    assert found["made"] == len(written(biasloop)) > 0


def test_its_structured_output_is_found_out(open_: Open, url: str) -> None:
    biasloop = open_(url=url, timeout_seconds=60, patience_seconds=120)
    with closing(open_model(biasloop.workspace, biasloop.settings.llm, "probe")) as model:
        assert model.probe() == DIALECTS[0]
