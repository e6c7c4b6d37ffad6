"""The expand step with a language model: real child process, real HTTP, a scripted model."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from threading import Lock

import pytest

from biasloop.domain.annotation import Standing
from biasloop.domain.item import Origin
from biasloop.domain.label import LabelSource
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.errors import ConfigError
from biasloop.rounds.child import no_heartbeat
from biasloop.rounds.steps.train.data import training_data
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.service.takedown import forget_answers
from support.exports import exported as exported_rows
from support.llm_fixtures import Open
from support.llm_model import gold, obedient, properties
from support.llm_server import Asked, LlmServer, structured
from support.llm_workspaces import (
    NOW,
    expand,
    label_as_people,
    point_to,
    real_items,
    synthesis,
    written,
)


@pytest.fixture(scope="module")
def expanded(
    sown: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Done, LlmServer]]:
    """A workspace after an expansion of 40 texts. Not to be changed."""
    folder = Path(shutil.copytree(sown, tmp_path_factory.mktemp("expanded") / "workspace"))
    with LlmServer(structured(obedient)).listening() as server:
        service = Service(point_to(folder, server.url, texts=40))
        for item in real_items(service):
            label_as_people(service, [item], tuple(gold(item.text)))
        yield service, expand(service), server
        service.ledger.close()


Expanded = tuple[Service, Done, LlmServer]


def test_texts_of_a_model_join_the_pool_with_their_provenance(expanded: Expanded) -> None:
    service, done, _ = expanded
    facts, items = synthesis(done), written(service)
    assert facts["asked"] == 40
    assert facts["made"] == len(items) > 15
    assert facts["made"] + sum(facts["refused"].values()) == 40
    assert (facts["stopped"], facts["not_asked"]) == (None, 0)
    assert done.facts["expanded"]["llm"] == len(items)
    known = {item.id: item for item in service.pool.items(range(len(service.pool)))}
    for item in items:
        parents = [known[parent] for parent in item.parents]
        assert parents
        assert set(item.roots) == {root for parent in parents for root in parent.roots}
        assert (item.split, item.origin) == (Split.TRAIN, Origin.SYNTHETIC)
        assert item.operation.rpartition("@")[2] == facts["prompts"]


def test_their_labels_are_the_models_and_teach_nothing_yet(expanded: Expanded) -> None:
    service, done, _ = expanded
    annotations = service.ledger.annotations()
    llm_votes = [a for a in annotations if a.source is LabelSource.LLM]
    texts = {item.id: item.text for item in written(service)}
    assert len(llm_votes) == synthesis(done)["made"]
    for vote in llm_votes:
        assert (vote.standing, vote.annotator) == (Standing.VOTE, "llm")
        assert set(vote.labels) == set(gold(texts[vote.item_id]))
        assert vote.extra == {
            "model": "scripted",
            "confidence": 1.0,
            "reason": "Lo dicono le parole.",
        }
    exported = {row["item_id"]: row for row in exported_rows(service, "items")}
    assert {exported[item]["label_source"] for item in texts} == {"llm"}
    data = training_data(service.pool, annotations, service.campaign.scheme, constructed_weight=0.5)
    assert not set(data["item_id"]) & set(texts)


def test_all_kinds_of_requests_yield_texts(expanded: Expanded) -> None:
    service, _, _ = expanded
    kinds = Counter(item.operation.split(":")[1] for item in written(service))
    assert set(kinds) == {"write", "paraphrase", "add", "drop"}
    for item in written(service):
        if item.operation.split(":")[1] in ("add", "drop"):
            (parent,) = service.pool.items(service.pool.rows_of(item.parents))
            assert gold(parent.text) != gold(item.text)  # the pair is kept


def test_no_prompt_holds_an_audit_text(expanded: Expanded) -> None:
    service, _, model = expanded
    items = real_items(service)
    everything = json.dumps(model.asked, ensure_ascii=False)
    train = {item.text for item in items if item.split is Split.TRAIN}
    audit = {item.text for item in items if item.split is Split.AUDIT} - train
    assert audit
    assert not [text for text in audit if text in everything]
    assert [text for text in train if text in everything]


def test_a_plan_lists_the_requests_without_sending_them(expanded: Expanded) -> None:
    service, _, model = expanded
    asked = len(model.asked)
    planned, size = service.steps.plan()["llm"]
    assert len(model.asked) == asked
    assert len(planned) == 40
    assert size.requests > 80  # each is written and judged, and parents of real ads are tried
    assert size.tokens_out <= size.tokens_out_at_most == size.requests * 1000


def test_a_step_that_is_repeated_asks_nothing_again(service: Service, model: LlmServer) -> None:
    first = service.steps.expand(None, no_heartbeat)
    asked = len(model.prompts)
    shutil.rmtree(service.layout.job(None, "expand"))
    again = service.steps.expand(None, no_heartbeat)  # as after a kill before the commit
    assert len(model.prompts) == asked
    assert again.facts["synthesis"] == first.facts["synthesis"]
    service.ledger.add(again.records, NOW)
    assert synthesis(expand(service))["made"] > 0  # and the next one goes on
    assert len(model.prompts) > asked


def test_a_guideline_that_is_not_in_force_yet_guides_nobody(
    service: Service, model: LlmServer, tmp_path: Path
) -> None:
    """Writer, judge, plan, and what is recorded go by the version in force, not by the file."""
    in_force = service.adopt_campaign_policy()
    draft = "A DRAFT THAT NOBODY HAS ADOPTED YET. " * 400
    (service.layout.campaign / "guidelines.md").write_text(draft, "utf-8")
    assert service.campaign.policy.id != in_force.id
    size = service.steps.plan()["llm"][1]
    done = expand(service)
    assert synthesis(done)["made"] > 0
    assert "NOBODY HAS ADOPTED" not in json.dumps(model.asked)
    assert [a for a in model.asked if in_force.text.strip() in a["messages"][0]["content"]]
    assert size.tokens_in < len(draft) * synthesis(done)["asked"] / 4
    votes = [a for a in service.ledger.annotations() if a.source is LabelSource.LLM]
    assert {vote.policy_id for vote in votes} == {in_force.id}
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text('{"text": "Cerca un sarto.", "labels": ["gender"]}\n', "utf-8")
    before = {a.key for a in service.ledger.annotations()}
    import_file(service, seeds)
    new = [a for a in service.ledger.annotations() if a.key not in before]
    assert {a.policy_id for a in new} == {in_force.id}


# --- what is refused ------------------------------------------------------------------------------


def test_what_is_refused_is_kept_with_the_reason(open_: Open, model: LlmServer) -> None:
    service = open_(texts=24)
    leaked = next(item for item in real_items(service) if item.split is Split.AUDIT)
    bad = cycle(
        [
            ("length", "Un addetto."),
            ("meta_talk", "Here is a sentence: cerchiamo un addetto per la mensa."),
            ("language", "We are looking for a man who likes the kitchen and its people."),
            ("near_duplicate", "Cerchiamo a Lecco un magazziniere."),
            ("leak", leaked.text.upper()),
            ("schema", ""),
        ]
    )
    texts = {}
    lock = Lock()

    def script(asked: Asked) -> dict[str, object]:
        if "text" not in properties(asked) or "as few words" in asked["messages"][0]["content"]:
            return obedient(asked)
        with lock:
            key = asked["messages"][0]["content"] + asked["messages"][1]["content"]
            reason, text = texts.setdefault(key, next(bad))
        return {"text": text} if reason != "schema" else {"test": text}

    model.script = structured(script)
    facts = synthesis(expand(service))
    reasons = {"length", "meta_talk", "language", "near_duplicate", "leak", "schema"}
    assert reasons <= set(facts["refused"])
    rejections = service.ledger.rejections()
    assert Counter(row["reason"] for row in rejections) == facts["refused"]
    for reason, text in texts.values():
        assert (reason, text) in {(row["reason"], row["text"]) for row in rejections}
    (detail,) = {row["detail"] for row in rejections if row["reason"] == "leak"}
    assert detail == f"item {leaked.id}"


def test_a_label_that_the_judge_does_not_find_is_refused(
    service: Service, model: LlmServer
) -> None:
    def script(asked: Asked) -> dict[str, object]:
        answer = obedient(asked)
        if "labels" in answer:
            wrong = ["inclusive"] if answer["labels"] != ["inclusive"] else ["age"]
            return {"reason": "No.", "labels": wrong}
        return answer

    model.script = structured(script)
    facts = synthesis(expand(service))
    assert facts["made"] == 0
    assert facts["refused"]["label_not_confirmed"] > 0
    assert {row["detail"] for row in service.ledger.rejections()} >= {"judged inclusive: No."}
    assert written(service) == []


# --- trouble --------------------------------------------------------------------------------------


def test_a_dead_server_costs_nothing_but_its_texts(open_: Open, model: LlmServer) -> None:
    service = open_(url="http://127.0.0.1:9/v1", patience_seconds=0.3)
    done = expand(service)
    facts = synthesis(done)
    assert "http://127.0.0.1:9/v1 cannot be reached" in facts["stopped"]
    assert (facts["made"], facts["not_asked"]) == (0, 12)
    assert done.facts["expanded"]["counterfactual"] > 0
    assert service.ledger.rejections() == []
    assert synthesis(expand(open_()))["made"] > 6  # once it is there again


def test_a_spent_budget_stops_cleanly_and_the_next_purse_goes_on(
    open_: Open, model: LlmServer
) -> None:
    prices = {"price_in": 1e6, "price_out": 1e6, "answer_tokens": 100}
    service = open_(**prices, round_budget=2500, budget=4000, concurrency=2)
    facts = synthesis(expand(service))
    assert "of 2500 spent for by hand" in facts["stopped"]
    assert 0 < facts["spending"]["cost"] <= 2500
    assert facts["not_asked"] > 0
    service = open_(**prices, round_budget=100_000, budget=4000, concurrency=2)
    facts = synthesis(expand(service))
    assert "of 4000 in total" in facts["stopped"]


def test_settings_without_a_model_are_refused(open_: Open) -> None:
    with pytest.raises(ConfigError, match=r"llm\.base_url and llm\.model"):
        _ = open_(base_url="").steps


def test_the_key_reaches_the_server_and_no_file(
    service: Service, model: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIASLOOP_LLM_API_KEY", "a-very-secret-key")
    service.steps.expand(None, no_heartbeat)
    assert set(model.keys) == {"Bearer a-very-secret-key"}
    for path in service.layout.folder.rglob("*"):
        assert not path.is_file() or b"a-very-secret-key" not in path.read_bytes()


# --- takedown -------------------------------------------------------------------------------------


def test_a_takedown_reaches_all_that_was_written(service: Service, model: LlmServer) -> None:
    item = next(i for i in real_items(service) if i.split is Split.TRAIN)
    label_as_people(service, [item], ("gender",))
    root = item.roots[0]

    def script(asked: Asked) -> dict[str, object]:
        if "text" in properties(asked) and item.text in asked["messages"][1]["content"]:
            return {"text": "Here is a secret of the ad: zirconio."}
        return obedient(asked)

    model.script = structured(script)
    while not any(root in row["roots"] for row in service.ledger.rejections(1000)):
        expand(service)
    service.ledger.record_takedown(root, service.pool.erase(root), NOW)
    forget_answers(service, root)
    assert not [r for r in service.ledger.rejections(1000) if "zirconio" in r["text"] + r["detail"]]
    files = list(service.layout.folder.glob("llm.db*"))
    assert files
    assert not [path for path in files if b"zirconio" in path.read_bytes()]
