"""`biasloop policy try`, `trial` and `comment`, as people call them."""

import shutil
from pathlib import Path

import pytest

from biasloop.service.service import Service
from support.cli import Cli
from support.llm_model import RULE, by_guideline
from support.llm_server import LlmServer, structured
from support.llm_workspaces import NOW, point_to

TEXTS = (
    "Cerchiamo un cuoco.", "Cerchiamo personale sotto i 30 anni.", "Offriamo formazione.",
    "Cercasi un fabbro sotto i 40 anni.", "[bold]Cerchiamo un cuoco[/bold]",
)  # fmt: skip


@pytest.fixture
def cli(sown: Path, tmp_path: Path, model: LlmServer) -> Cli:
    model.script = structured(by_guideline)
    folder = point_to(Path(shutil.copytree(sown, tmp_path / "workspace")), model.url)
    service = Service(folder)
    service.ledger.policies.add(service.campaign.policy, NOW)
    service.ledger.close()
    return Cli(folder)


@pytest.fixture
def draft(cli: Cli) -> Path:
    text = (cli.workspace / "campaign" / "guidelines.md").read_text("utf-8")
    path = cli.workspace.parent / "draft.md"
    path.write_text(f"{text}\n{RULE}\n", "utf-8")
    return path


def test_a_draft_is_tried_and_talked_about(cli: Cli, draft: Path) -> None:
    texts = draft.with_name("texts.txt")
    texts.write_text("\n".join(TEXTS), "utf-8")
    told = cli("policy", "try", draft, "--scenarios", texts, "--by", "rita")
    assert "by rita" in told
    assert "3 of 5 answered scenarios change" in told
    assert "4. Cercasi un fabbro sotto i 40 anni.\n   given\n" in told
    assert "   draft: age – Dice <i>age</i>." in told
    assert "[bold]Cerchiamo un cuoco[/bold]" in told  # a text is no markup
    assert "2. " not in told  # nothing to see there
    (version,) = cli.json("policy")["versions"]
    assert (version["now"], version["votes"]) == (True, 0)  # nothing came into force

    found = cli.json("policy", "try", draft, "--scenarios", texts, "--against", version["policy"])
    assert (found["by"] != "rita", found["against"]) == (True, version["policy"])
    said = cli.json("policy", "comment", found["trial"][:5], "2", "Perché?", "--by", "ugo")
    assert [one["text"] for one in said["comments"]] == ["Perché?"]
    assert ", " in cli("policy", "comment", found["trial"], "2", "Ecco.", "--by", "ugo")
    page = draft.with_name("trial.html")
    shown = cli("policy", "trial", "--out", page)
    html = page.read_text("utf-8")
    assert "Dice &lt;i&gt;age&lt;/i&gt;." in html
    assert "Ecco." in html
    assert "<form" not in html
    assert shown.count("   ugo, ") == 2
    assert "2. Cerchiamo personale sotto i 30 anni." in shown
    assert cli.json("policy", "trial", found["trial"])["changed"] == 3


def test_by_default_it_is_tried_on_items(cli: Cli, draft: Path) -> None:
    found = cli.json("policy", "try", draft, "--items", "6")
    assert len(found["cases"]) == 6
    assert all(case["item"] for case in found["cases"])


def test_what_cannot_be_tried_is_told_in_a_line(cli: Cli, draft: Path) -> None:
    assert "no.md" in cli.error("policy", "try", "no.md", code=2)
    assert "begins with 'zz'" in cli.error("policy", "try", draft, "--against", "zz")
    point_to(cli.workspace, "")
    assert "llm.base_url" in cli.error("policy", "try", draft, code=2)
