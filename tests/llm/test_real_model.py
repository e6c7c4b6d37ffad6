"""A real model behind a real server, through the whole expand step and a trial."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from biasloop.llm.server import DIALECTS
from biasloop.service.scenarios import borderline
from biasloop.service.trial import describe, draft_of, try_draft
from biasloop.workspace.language_model import open_model
from support.llm_fixtures import Open
from support.llm_workspaces import expand, synthesis, written
from support.tiny_llm import tiny_llm


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tiny_llm() as server_url:
        yield server_url


def test_every_answer_is_by_the_schema(open_: Open, url: str) -> None:
    service = open_(url=url, texts=60, timeout_seconds=60, patience_seconds=120)
    done = expand(service)
    summary = synthesis(done)
    assert (summary["stopped"], summary["not_asked"]) == (None, 0)
    assert summary["asked"] == 60
    assert not {"schema", "no_answer"} & set(summary["refused"])
    assert summary["spending"]["requests"] > 60
    assert summary["made"] == len(written(service)) > 0


def test_its_structured_output_is_detected(open_: Open, url: str) -> None:
    service = open_(url=url, timeout_seconds=60, patience_seconds=120)
    with closing(open_model(service.layout, service.settings.llm, "probe")) as model:
        assert model.probe() == DIALECTS[0]


def test_a_draft_of_the_guideline_is_tried(open_: Open, url: str) -> None:
    service = open_(url=url, timeout_seconds=60, patience_seconds=120, answer_tokens=120)
    old = service.campaign.policy
    draft = draft_of(service, old.text + "\nAnche le età minime.\n")
    report = describe(service, try_draft(service, draft, old, borderline(service, 10), "rita"))
    assert (report.scenarios, report.stopped) == (10, None)
    assert report.spending.requests > 20
    problems = {judged.problem for case in report.cases for judged in (case.before, case.after)}
    assert problems <= {None, "no usable answer"}  # by the schema, but at odds with itself
    assert report.answered > 0
