"""What the gateway costs: the requests of the labelling page, sent to Label Studio directly and
through the gateway in turns.

    python -m benchmarks.gateway [--rounds 100] [--json]

Starts an embedded Label Studio of its own, and one annotator who labels in two sessions.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx

from biasloop.domain.task import LabelTask
from biasloop.gateway.app import create_gateway
from biasloop.gateway.campaign import CampaignView
from biasloop.labelstudio.session import CSRF
from biasloop.service.service import Service
from biasloop.web.server import WebServer
from biasloop.workspace.create import create_workspace

PORTS = {"labelstudio": 18180, "gateway": 18181}


def main() -> None:
    """Measures and prints median times and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = _measure(Path(folder) / "workspace", arguments.rounds)
    figures = {}
    for what in sorted({what for what, _ in times}):
        direct, through = (statistics.median(times[what, way]) for way in ("direct", "gateway"))
        ratios = [g / d for d, g in zip(times[what, "direct"], times[what, "gateway"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        figures[what] = {
            "direct_ms": round(1000 * direct, 1),
            "gateway_ms": round(1000 * through, 1),
            "ratio": round(middle, 3),
            "quartiles": [round(low, 3), round(high, 3)],
        }
    result = {"machine": platform.machine(), "rounds": arguments.rounds, "figures": figures}
    print(json.dumps(result, indent=None if arguments.json else 2))


def _measure(workspace: Path, rounds: int) -> dict[tuple[str, str], list[float]]:
    create_workspace(workspace, "job_ads_it")
    settings = workspace / "biasloop.toml"
    lines = [f"[{name}]\nport = {port}\n" for name, port in PORTS.items()]
    settings.write_text("".join(lines), "utf-8")
    service = Service(workspace)
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    with service.embedded(lambda line: print(line, file=sys.stderr)):
        project = service.ensure_project()
        tasks = [
            LabelTask(uuid4().hex[:20], f"Frase {i}.", "Annuncio.", 0)
            for i in range(2 * rounds + 4)
        ]
        service.label_studio.push(tasks)
        app = create_gateway(service, lambda: None)
        with WebServer(app, "127.0.0.1", PORTS["gateway"], "gateway") as server:
            person = service.access.add("anna@example.org")
            link, _ = service.access.make_link(person)
            with (
                httpx.Client(base_url=server.url, timeout=60) as through,
                httpx.Client(base_url=service.label_studio_url, timeout=60) as direct,
            ):
                through.get(f"/l/{link}")
                through.get(f"/projects/{project}/data?labeling=1", headers={"Accept": "text/html"})
                _sign_in(direct, person.account, CampaignView(service).password_of(person))
                for number in range(rounds + 2):
                    ways = [("direct", direct), ("gateway", through)]
                    for way, http in ways if number % 2 else ways[::-1]:
                        for what, seconds in _label_one(http, project):
                            times[what, way].append(seconds)
    service.close()
    return {key: seconds[2:] for key, seconds in times.items()}  # the first two warm up


def _sign_in(http: httpx.Client, email: str, password: str) -> None:
    token = CSRF.search(http.get("/user/login/").text)
    assert token is not None
    form = {"email": email, "password": password, "csrfmiddlewaretoken": token[1]}
    assert http.post("/user/login/", data=form).is_redirect


def _label_one(http: httpx.Client, project: int) -> Iterator[tuple[str, float]]:
    """(kind of request, seconds) of the requests for one annotation."""

    def timed(method: str, path: str, body: object = None) -> tuple[httpx.Response, float]:
        began = time.perf_counter()
        answer = http.request(method, path, json=body)
        return answer.raise_for_status(), time.perf_counter() - began

    next_task = f"/api/dm/actions?id=next_task&project={project}"
    answer, seconds = timed("POST", next_task, {"project": str(project)})
    yield "next task", seconds
    task = f"/api/tasks/{answer.json()['id']}"
    yield "look at the task", timed("GET", task)[1]
    region = {"from_name": "label", "to_name": "text", "type": "choices", "id": uuid4().hex[:10]}
    result = [{**region, "value": {"choices": ["inclusive"]}}]
    body = {"result": result, "lead_time": 1.0, "unique_id": str(uuid4())}
    yield "submit", timed("POST", f"{task}/annotations", body)[1]


if __name__ == "__main__":
    main()
