"""Prelabels: the judge's labels are pushed with the tasks, and missing ones delay nothing."""

from biasloop.domain.batch import Arm, Selection
from biasloop.domain.item import Item
from biasloop.rounds.child import no_heartbeat
from biasloop.rounds.prelabel import prelabels
from biasloop.rounds.steps.push import label_tasks
from biasloop.service.service import Service
from biasloop.workspace.campaign import guide_of
from support.llm_fixtures import Open
from support.llm_model import by_guideline, quoted
from support.llm_server import Asked, LlmServer, Reply, is_probe, structured
from support.llm_workspaces import real_items


def first_answers(service: Service, items: list[Item]) -> dict[str, tuple[str, ...]]:
    llm, guide = service.settings.llm, guide_of(service.campaign, service.current_policy)
    judgements = prelabels(items, guide, service.layout, llm, "round 0", no_heartbeat)
    return {item_id: answers.labels for item_id, answers in judgements.items()}


def test_tasks_carry_what_the_judge_says(open_: Open, model: LlmServer) -> None:
    model.script = structured(by_guideline)
    service = open_()
    items = real_items(service)[:6]
    answers = first_answers(service, items)
    assert answers.keys() == {item.id for item in items}
    assert len(set(answers.values())) > 1
    rows = service.pool.rows_of([item.id for item in items])
    batch = [
        Selection(item.id, int(row), Arm.AUDIT, None, n)
        for n, (item, row) in enumerate(zip(items, rows, strict=True))
    ]
    llm, guide = service.settings.llm, guide_of(service.campaign, service.current_policy)
    asked = len(model.prompts)
    tasks = label_tasks(
        service.pool,
        batch,
        0,
        lambda some: prelabels(some, guide, service.layout, llm, "round 0", no_heartbeat),
    )
    assert {t.item_id: t.prelabel.labels for t in tasks if t.prelabel} == answers
    assert len(model.prompts) == asked  # a push that is repeated pays nothing


def test_a_text_without_a_usable_answer_has_none(open_: Open, model: LlmServer) -> None:
    service = open_(patience_seconds=0.1)
    items = real_items(service)[:4]
    mute = items[1].text

    def script(asked: Asked) -> Reply:
        if not is_probe(asked) and mute in quoted(asked["messages"][1]["content"]):
            return Reply(status=500)
        return structured(by_guideline)(asked)

    model.script = script
    assert first_answers(service, items).keys() == {items[n].id for n in (0, 2, 3)}


def test_a_dead_server_delays_no_push(open_: Open) -> None:
    service = open_(url="http://127.0.0.1:9/v1", patience_seconds=0.1)
    assert first_answers(service, real_items(service)[:3]) == {}
