"""How long a trial of a guideline takes: 50 items under two versions, with a server that takes some
seconds for each answer but answers 50 requests at once.

    python -m benchmarks.trial [--seconds 2] [--items 50] [--at-once 50] [--runs 5] [--json]

A workspace of the Italian campaign with its example ads; the server answers over HTTP after so many
seconds, whatever it is asked. Timed is `try_draft`, from the choice of the items to the trial in
the ledger, and beside it what no client could beat: the requests in waves of `at-once`, each taking
`seconds`, after the one that finds out how the server wants to be asked.
"""

import argparse
import json
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from biasloop.service.importing import import_file
from biasloop.service.scenarios import borderline
from biasloop.service.service import Service
from biasloop.service.trial import draft_of, try_draft
from biasloop.workspace.create import create_workspace


def main() -> None:
    """Prints the seconds of every run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="of one answer")
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=50, help="requests that the server takes")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    server = _Listener(("127.0.0.1", 0), _slow_handler(arguments.seconds, arguments.at_once))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        service = _make_workspace(Path(folder) / "w", server.server_port, arguments.at_once)
        timed = [_time_trial(service, arguments.items, run) for run in range(arguments.runs)]
        service.ledger.close()
    server.shutdown()
    # After the first run the answers under the version in force are cached.
    for name, seconds, requests in (
        ("a first trial", timed[:1], 2 * arguments.items),
        ("another draft on the same items", timed[1:], arguments.items),
    ):
        least = arguments.seconds * (1 + ceil(requests / arguments.at_once))
        line = {"what": name, "seconds": [round(s, 2) for s in seconds], "least": least}
        if arguments.json:
            print(json.dumps(line))
        elif seconds:
            print(
                f"{name}: {median(seconds):.1f} s ({min(seconds):.1f}-{max(seconds):.1f}, "
                f"{len(seconds)} runs), {median(seconds) / least:.2f} times the least possible"
            )


def _make_workspace(folder: Path, port: int, at_once: int) -> Service:
    create_workspace(folder, "job_ads_it", 0)
    (folder / "biasloop.toml").write_text(
        f'[llm]\nbase_url = "http://127.0.0.1:{port}/v1"\nmodel = "slow"\nconcurrency = {at_once}\n'
    )
    service = Service(folder)
    assert service.campaign.ad_file is not None
    import_file(service, service.campaign.ad_file)
    return service


def _time_trial(service: Service, items: int, run: int) -> float:
    old = service.campaign.policy
    began = time.perf_counter()
    draft = draft_of(service, f"{old.text}\nRegola {run}.\n")
    trial = try_draft(service, draft, old, borderline(service, items), "benchmark")
    seconds = time.perf_counter() - began
    assert len(trial.cases) == items
    assert all(case.answered for case in trial.cases)
    return seconds


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def _slow_handler(seconds: float, at_once: int) -> type[BaseHTTPRequestHandler]:
    places = threading.Semaphore(at_once)
    values = {"labels": ["inclusive"], "reason": "Perché sì.", "wet": True}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fields = request["response_format"]["json_schema"]["schema"]["properties"]
            with places:
                time.sleep(seconds)
            content = json.dumps({name: values[name] for name in fields})
            body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


if __name__ == "__main__":
    main()
