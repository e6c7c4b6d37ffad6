"""`biasloop doctor` on a real Label Studio."""

import json

from support.cli import Cli
from support.labelstudio_server import Server


def test_a_sound_workspace_and_a_wrong_token(cli: Cli, label_studio_server: Server) -> None:
    found = cli.doctor()
    assert found["ledger"][0]
    assert "biasloop up" in found["Label Studio and token"][1]
    cli.environment |= {
        "BIASLOOP_LABELSTUDIO__URL": label_studio_server.url,
        "BIASLOOP_LABEL_STUDIO_TOKEN": label_studio_server.token,
    }
    assert label_studio_server.email in cli.doctor()["Label Studio and token"][1]
    cli.environment["BIASLOOP_LABEL_STUDIO_TOKEN"] = "0" * 40
    well, line = cli.doctor()["Label Studio and token"]
    assert not well
    assert "token" in line
    first, *_ = json.loads(cli.run("doctor", "--json").stdout)
    assert set(first) == {"what", "ok", "found", "needed"}
