"""Kinds 2 and 3: what counts as an answer, whose it is, and which item it is about."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pandas as pd
import pytest

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.round import State
from biasloop.service.service import Service
from support.cli import Cli, write_jsonl
from support.labelstudio_server import Annotator, Server
from support.served import put_on, step_until
from support.small import make_campaign, make_small_workspace

CONTROLS = """
<Labels name="span" toName="text"><Label value="eta"/></Labels>
<Labels name="firm" toName="text"><Label value="AZIENDA"/></Labels>
<TextArea name="comment" toName="text"/><TextArea name="rewrite" toName="text"/>
"""
PASSWORD = "a-long-Password-3"
TWO_CHARACTERS = "Azienda cerca\\ncuoco di 30 anni\\nper turni serali"
FIRM = "La ditta Rossi cerca cuoco di 30 anni"
OTHERS = [f"Cercasi cuoco di {age} anni" for age in range(31, 51)]


class Site:
    """A project of Label Studio whose every item is with people, and its administrator."""

    def __init__(self, service: Service, server: Server) -> None:
        self.service = service
        self.server = server
        self.project = service.label_studio.project
        headers = {"Authorization": f"Token {server.token}"}
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=60)
        texts = {item.id: item.text for item in service.pool.items(range(len(service.pool)))}
        self.tasks = {texts[item]: task for item, task in service.ledger.task_ids().items()}
        self.items = {text: item for item, text in texts.items()}

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return self.http.request(method, path, json=body, **more).raise_for_status().json()

    def person(self) -> Annotator:
        """Somebody with an account of their own."""
        email = f"{uuid4().hex[:12]}@example.org"
        self.service.label_studio.add_annotator(email, PASSWORD)
        return Annotator.sign_in(self.server.url, email, PASSWORD, self.project)

    def submit(self, text: str, *regions: dict[str, Any]) -> None:
        """Answers "eta" with these marks as well."""
        body = {"result": [*regions, CHOICE], "lead_time": 3.0}
        self.send("POST", f"/api/tasks/{self.tasks[text]}/annotations/", body)

    def answers(self, text: str) -> list[Annotation]:
        """What the ledger says of an item."""
        return [a for a in self.service.ledger.annotations() if a.item_id == self.items[text]]

    def votes(self, text: str) -> list[Annotation]:
        return [a for a in self.answers(text) if a.standing is Standing.VOTE]


CHOICE = {
    "from_name": "label",
    "to_name": "text",
    "type": "choices",
    "value": {"choices": ["eta"]},
}


def region(control: str, kind: str, **value: Any) -> dict[str, Any]:
    return {"from_name": control, "to_name": "text", "type": kind, "value": value}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, label_studio_server: Server) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    campaign = make_campaign(
        folder / "campaign", "niente", "eta", none_label="niente", controls=CONTROLS
    )
    texts = [TWO_CHARACTERS, FIRM, *OTHERS]
    rows = [{"id": str(n), "text": text} for n, text in enumerate(texts)]
    cli = make_small_workspace(folder / "workspace", campaign)
    cli("import", write_jsonl(folder / "ads.jsonl", *rows))
    settings = {
        "loop": {"batch_size": len(texts), "low_water": 0},
        "votes": {"per_item": 2, "audit": 2},
    }
    with put_on(label_studio_server, cli.workspace, **settings) as service:
        step_until(service, State.PUSHED)
        site = Site(service, label_studio_server)
        with site.http:
            yield site


def test_a_mark_over_two_characters_that_look_like_a_line_break_is_right(site: Site) -> None:
    """Case 08: the answer was deleted and asked for again, forever."""
    whole = region(
        "span", "labels", start=0, end=len(TWO_CHARACTERS), text=TWO_CHARACTERS, labels=["eta"]
    )
    site.submit(TWO_CHARACTERS, whole)
    site.service.poll()
    assert [a.labels for a in site.votes(TWO_CHARACTERS)] == [("eta",)]
    task = site.send("GET", f"/api/tasks/{site.tasks[TWO_CHARACTERS]}/")
    assert len(task["annotations"]) == 1


def test_controls_are_known_by_their_names(site: Site, tmp_path: Path) -> None:
    """Case 11: comment and rewrite were joined, names of firms were spans of the campaign."""
    start = FIRM.index("Rossi")
    site.submit(
        FIRM,
        region("firm", "labels", start=start, end=start + 5, text="Rossi", labels=["AZIENDA"]),
        region("span", "labels", start=27, end=len(FIRM), text=FIRM[27:], labels=["eta"]),
        region("comment", "textarea", text=["non sono sicura"]),
        region("rewrite", "textarea", text=["La ditta cerca personale"]),
    )
    site.service.poll()
    Cli(site.service.layout.folder)("export", "--format", "csv", "--to", tmp_path / "out")
    votes = pd.read_csv(tmp_path / "out" / "votes.csv").set_index("item_id")
    exported = votes.loc[site.items[FIRM]]
    assert exported["rewrite"] == "La ditta cerca personale"
    assert json.loads(exported["spans"]) == {"eta": [[27, len(FIRM)]]}


def test_predictions_that_were_accepted_by_a_click_are_no_votes(site: Site) -> None:
    """Case 10: they became votes of the administrator."""
    text = OTHERS[0]
    prediction = {"task": site.tasks[text], "model_version": "m1", "result": [CHOICE]}
    site.send("POST", "/api/predictions/", prediction)
    site.send(
        "POST",
        "/api/dm/actions",
        {
            "selectedItems": {"all": False, "included": [site.tasks[text]]},
            "model_version": "m1",
        },
        params={"id": "predictions_to_annotations", "project": site.project},
    )
    site.service.poll()
    assert site.votes(text) == []
    assert len(site.answers(text)) == 1


def test_an_answer_that_came_with_an_imported_task_is_no_vote(site: Site) -> None:
    """S2: a second task with the id of an item brought a vote with it."""
    text = OTHERS[1]
    task = site.send("GET", f"/api/tasks/{site.tasks[text]}/")
    forged = {"data": task["data"], "annotations": [{"result": [CHOICE]}]}
    site.send("POST", f"/api/projects/{site.project}/import", [forged])
    site.service.poll()
    assert site.votes(text) == []


def test_an_answer_counts_for_the_item_that_was_sent(site: Site) -> None:
    """S2: it counted for the item whose id somebody had written into the task."""
    asked, other = OTHERS[2:4]
    task = site.send("GET", f"/api/tasks/{site.tasks[asked]}/")
    data = task["data"] | {"item_id": site.items[other]}
    site.send("PATCH", f"/api/tasks/{site.tasks[asked]}/", {"data": data})
    site.submit(asked)
    site.service.poll()
    assert site.votes(other) == []


def test_people_whose_accounts_are_gone_stay_who_they_were(site: Site) -> None:
    """Case 09: both became "deleted account", and the second vote was set aside."""
    text = OTHERS[4]
    for _ in range(2):
        with site.person() as person:
            person.label(site.tasks[text], "eta")
        site.service.poll()
    before = {a.annotator for a in site.votes(text)}
    assert len(before) == 2
    with closing(sqlite3.connect(site.server.data_dir / "label_studio.sqlite3")) as database:
        # What Django's administration does; the API has no such call.
        database.execute(
            "UPDATE task_completion SET completed_by_id = NULL WHERE task_id = ?",
            [site.tasks[text]],
        )
        database.commit()
    site.service.reconcile()
    assert {a.annotator for a in site.votes(text)} == before


def test_many_answers_that_are_gone_at_once_are_kept(site: Site) -> None:
    """S3: after a restore of yesterday's copy they were taken for deletions."""
    texts = OTHERS[5:17]
    for text in texts:
        site.submit(text)
    site.service.poll()
    answered = [text for text in texts if site.votes(text)]
    for text in answered:
        task = site.send("GET", f"/api/tasks/{site.tasks[text]}/")
        for annotation in task["annotations"]:
            site.http.delete(f"/api/annotations/{annotation['id']}/").raise_for_status()
    site.service.poll()
    assert [text for text in texts if site.votes(text)] == answered != []


def test_one_answer_that_label_studio_cannot_show_costs_itself(site: Site) -> None:
    """S1: half of an emoji in one answer kept every other one from being read."""
    broken, fine = OTHERS[18:20]
    half = json.dumps(
        {"result": [region("rewrite", "textarea", text=["\ud83d"]), CHOICE], "lead_time": 3.0}
    )
    site.http.post(
        f"/api/tasks/{site.tasks[broken]}/annotations/",
        content=half,
        headers={"Content-Type": "application/json"},
    )
    site.submit(fine)
    try:
        site.service.poll()
    except Exception as error:
        pytest.fail(f"nothing was read: {error}")
    assert [a.labels for a in site.votes(fine)] == [("eta",)]
