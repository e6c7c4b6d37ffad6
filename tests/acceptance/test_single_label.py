"""A campaign in which a text has one class, through a round."""

import json
import shutil
from pathlib import Path

import pytest

from biasloop.domain.batch import Arm
from biasloop.domain.round import State
from support.labelstudio_server import Server
from support.served import (
    TINY,
    label_open,
    make_workspace,
    put_on,
    run_biasloop,
    step_until,
)

# fisher refuses to choose without the likeness of items, so nothing else can have chosen.
SETTINGS = {
    "loop": {"batch_size": 8, "budget": 8, "audit_block": 4},
    "strategy": {"name": "fisher"},
}


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """The tiny campaign, where nobody may choose two labels."""
    folder = tmp_path / "campaign"
    shutil.copytree(TINY, folder)
    config = folder / "label_config.xml"
    config.write_text(config.read_text("utf-8").replace('"multiple"', '"single"'), "utf-8")
    about = folder / "campaign.toml"
    about.write_text(about.read_text("utf-8").replace('none_label = "inclusive"\n', ""), "utf-8")
    seeds = folder / "seeds" / "seeds.jsonl"
    rows = [json.loads(line) for line in seeds.read_text("utf-8").splitlines()]
    single = [
        row | {"versions": [v for v in row.get("versions", ()) if len(v["labels"]) == 1]}
        for row in rows
        if len(row["labels"]) == 1
    ]
    seeds.write_text("".join(json.dumps(row) + "\n" for row in single), "utf-8")
    return folder


def test_a_batch_is_chosen_by_how_alike_items_are(
    campaign: Path, tmp_path: Path, label_studio_server: Server
) -> None:
    workspace = make_workspace(tmp_path / "workspace", campaign=campaign)
    run_biasloop(workspace, "train")
    with put_on(label_studio_server, workspace, **SETTINGS) as service:
        assert not service.campaign.scheme.multi
        step_until(service, State.PUSHED)
        chosen = [s for _, s in service.ledger.selections(0) if s.arm is Arm.ACQUISITION]
        assert chosen
        assert all(selection.probability is None for selection in chosen)  # not drawn by chance
        label_open(service, label_studio_server, one=True)
        step_until(service, State.CLOSED)
