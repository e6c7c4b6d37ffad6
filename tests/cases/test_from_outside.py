"""Kind 10: what comes from outside has limits."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from biasloop.service.service import Service
from biasloop.web.app import create_app
from biasloop.web.server import WebServer
from support.cli import Cli
from support.small import make_campaign, make_small_workspace


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    folder = tmp_path_factory.mktemp("outside")
    campaign = make_campaign(folder / "campaign", "a", "b", multi=False)
    return make_small_workspace(folder / "workspace", campaign)


@pytest.fixture(scope="module")
def page(cli: Cli) -> Iterator[str]:
    service = Service(cli.workspace)
    server = WebServer(create_app(service, lambda: None), "127.0.0.1", 0)
    server.start()
    yield server.url
    server.stop()
    service.close()


@pytest.mark.parametrize("path", ["/", "/annotators", "/api/status", "/metrics", "/item"])
def test_under_another_name_the_page_does_not_answer(page: str, path: str) -> None:
    """S5: it answered to any name, and redirects carried that name."""
    answer = httpx.get(f"{page}{path}", headers={"Host": "evil.example"})
    assert answer.is_client_error
    assert "evil.example" not in answer.headers.get("location", "")


def test_not_anybody_may_call_the_webhook(page: str) -> None:
    """S6: anyone who called it woke the loop."""
    assert httpx.post(f"{page}/webhook", json={}).is_client_error


HOSTILE = {
    "header.csv": b"text," + b"x" * 3_000_000 + b"\n",
    "null.json": b"null",
    "deep.json": b"[" * 100_000,
    "number.json": b"7",
    "cut.csv.gz": b"\x1f\x8b\x08\x00\x00",
    "parquet.parquet": b"PAR1" + b"\xff" * 100 + b"PAR1",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_makes_no_sense_costs_one_line(cli: Cli, tmp_path: Path, name: str) -> None:
    """S12: tracebacks."""
    (tmp_path / name).write_bytes(HOSTILE[name])
    done = cli.run("import", tmp_path / name)
    assert done.returncode == 1
    assert name.split(".", maxsplit=1)[0] in done.stderr + done.stdout
    assert "unexpected" not in done.stderr
