"""A real workspace, filled through the ledger and the pool as the loop fills it, and served."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.item import Ad, Item, real_item
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.promotion import decide_promotion
from biasloop.domain.measure.savings import MIN_LABELS, SavingsPlan, estimate_savings
from biasloop.domain.measure.stopping import Criterion, StoppingRule, advise, gain_criterion
from biasloop.domain.measure.weighted import (
    compare_weighted,
    evaluate_weighted,
    with_rounds_left,
)
from biasloop.domain.model import Evaluation, ModelVersion, Promotion
from biasloop.domain.round import Done, State, Wait
from biasloop.domain.split import split_of
from biasloop.domain.task import PushedTask
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.web.app import create_app
from biasloop.web.server import WebServer
from support.workspaces import CopyBare

BEGAN = datetime.now(UTC) - timedelta(days=4)
BATCH = 20
PER_AD = 4
ARMS = (Arm.ACQUISITION, Arm.AUDIT, Arm.ACQUISITION, Arm.RANDOM_TRAIN)


class Campaign:
    """Writes the facts of a campaign into a workspace, a minute apart."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.ledger = service.ledger
        self.items: list[Item] = []
        self.now = BEGAN
        self.labelled = 0

    def later(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def fill_pool(self, ads: int = 50, text: str = "Cercasi persona numero") -> list[Item]:
        """Ads of PER_AD sentences each."""
        made, sentences = [], []
        for i in range(ads):
            parts = [f"{text} {i}.{j}." for j in range(PER_AD)]
            ad = Ad(f"ad-{i:03d}", " ".join(parts))
            made.append(ad)
            for part in parts:
                start = ad.text.index(part)
                sentences.append(real_item(ad, start, start + len(part), split_of(ad.id, 0)))
        self.service.pool.append(sentences, made)
        self.items += sentences
        return sentences

    def step(self, done: Done) -> None:
        """Runs the next step of the most urgent round, with this outcome."""
        claim = self._claim()
        self.ledger.rounds.commit(claim, done, self.later())

    def wait(self, why: str) -> None:
        self.ledger.rounds.wait(self._claim(), Wait(self.now + timedelta(minutes=9), why))

    def fail(self, error: str) -> None:
        again = datetime.now(UTC) + timedelta(minutes=5)
        self.ledger.rounds.fail(self._claim(), error, again, self.later())

    def _claim(self) -> Any:
        claim = self.ledger.rounds.claim(self.later(), "test", self.now + timedelta(seconds=30))
        assert claim is not None
        return claim

    def push_round(self) -> int:
        """A round up to people: returns its number."""
        opened = self.ledger.rounds.open({}, self.later())
        assert opened is not None
        batch = self.items[opened.id * BATCH : (opened.id + 1) * BATCH]
        selections = tuple(
            Selection(item.id, opened.id * BATCH + i, ARMS[i % 4], None, i)
            for i, item in enumerate(batch)
        )
        self.step(Done({"expanded": {"counterfactual": 3}}))
        self.step(Done({"pool_rows": len(self.service.pool), "scored_with": None}))
        self.step(Done({"batch": len(batch)}, selections))
        pushed = tuple(PushedTask(s.item_id, 1000 + s.row) for s in selections)
        self.step(Done({"pushed": len(pushed)}, pushed))
        return opened.id

    def annotate(self, round_id: int, n: int = BATCH, **changed: Any) -> None:
        """People label the first n items of a round."""
        for _, selection in self.ledger.selections(round_id)[:n]:
            facts: dict[str, Any] = {
                "key": f"ls:{selection.row}",
                "item_id": selection.item_id,
                "source": LabelSource.HUMAN,
                "standing": Standing.VOTE,
                "labels": ("gender",),
                "asked": self.service.campaign.scheme.labels,
                "policy_id": "p",
                "annotator": "anna@example.org",
                "at": self.later(),
                "task_id": 1000 + selection.row,
                "seconds": 90.0,
            }
            self.ledger.record([Annotation(**(facts | changed))])
        self.labelled += n

    def annotate_as(self, selection: Selection, who: str, label: str, policy_id: str) -> None:
        """Somebody else labels an item and marks a word of it."""
        span = {"start": 0, "end": 7, "labels": [label]}
        drawn = {"result": [{"type": "labels", "from_name": "span", "value": span}]}
        self.ledger.record(
            [
                Annotation(
                    key=f"ls:{who}:{selection.row}",
                    item_id=selection.item_id,
                    source=LabelSource.HUMAN,
                    standing=Standing.VOTE,
                    labels=(label,),
                    asked=self.service.campaign.scheme.labels,
                    policy_id=policy_id,
                    annotator=who,
                    at=self.later(),
                    task_id=1000 + selection.row,
                    seconds=60.0,
                    extra=drawn,
                )
            ]
        )

    def written(self, item: Item) -> None:
        """A language model has labelled this item."""
        self.ledger.record(
            [
                Annotation(
                    key=f"llm:{item.id}",
                    item_id=item.id,
                    source=LabelSource.LLM,
                    standing=Standing.VOTE,
                    labels=("gender",),
                    asked=self.service.campaign.scheme.labels,
                    policy_id="p",
                    annotator="llm",
                    at=self.later(),
                )
            ]
        )

    def close_round(
        self, round_id: int, audited: bool = True, rates: tuple[float, float] = (0.3, 0.02)
    ) -> None:
        """From people to the end: a model, its audit report, the model in service. `rates` are
        the shares of positives of frequent and of rare labels in the audit items."""
        self.step(Done({"annotated": BATCH, "left_open": 0}))
        self.step(Done({"consensus": BATCH}))
        name = f"r{round_id:04d}"
        card = {"rows": {"human": self.labelled, "seed": 100}}
        model = ModelVersion(name, "tfidf", 1, f"models/{name}", card, ())
        self.step(Done({"model": name}, (model,)))
        decision = decide_promotion(name, f"r{round_id - 1:04d}", None, auto=True)
        promotion = Promotion(name, decision.why)
        records = (self.report(round_id, name, rates), promotion) if audited else (promotion,)
        facts = {
            "evaluated": 90 if audited else 0,
            "promotion": decision.as_dict(),
            "stopping": self.advice(name),
        }
        self.step(Done(facts, records))
        self.step(Done())
        assert self.ledger.rounds.get(round_id).state is State.CLOSED

    def advice(self, model: str) -> dict[str, Any]:
        """Advice on stopping: kappa says so, gain cannot tell."""
        kappa = Criterion("kappa", True, "the models agree")
        gain = gain_criterion(None, StoppingRule(("gain", "kappa"), rounds=3, gain=0.02))
        return advise(model, (gain, kappa), ("gain", "kappa")).as_dict()

    def savings(self, labels: int) -> dict[str, Any]:
        """What labels have saved: a real estimate, on made scores; at first there are too few."""
        told: dict[str, Any] = {"labels": labels, "with_seeds": False}
        if labels < MIN_LABELS:
            return told | {"points": (), "saved": None, "why": f"{labels} random labels"}
        rng = np.random.default_rng(labels)
        plan = SavingsPlan.from_label_count(labels, steps=8, draws=10, seed=0)
        noise = np.append(0, rng.normal(0, 0.03, 100))[:, None, None]
        random = np.linspace(0.3, 0.6, 8) + rng.normal(0, 0.01, (1, 10, 8)) + noise
        acquired = np.linspace(0.35, 0.7, 8) + noise[:, 0]
        return told | estimate_savings(plan, acquired, random, witnesses=40, seed=0).as_dict()

    def report(self, round_id: int, model: str, rates: tuple[float, float]) -> Evaluation:
        """A real audit report: each round's model errs on fewer of 300 random verdicts."""
        names = self.service.campaign.scheme.labels
        rng = np.random.default_rng(7)
        rate = np.where(np.arange(len(names)) < 3, *rates)
        truth = (rng.random((300, len(names))) < rate).astype(np.int8)

        def flags(errors: float) -> Any:
            wrong = rng.random(truth.shape) < errors * np.maximum(rate, 0.05)
            return np.asarray((truth == 1) ^ wrong)

        roots = np.array([f"ad-{i // 3}" for i in range(300)])
        old, new = flags(0.9 / (round_id + 1)), flags(0.9 / (round_id + 2))
        weights = np.where(np.arange(300) % 3, 30.0, 10.0)
        measured = evaluate_weighted(truth, new * 0.9, new, roots, names, weights, multi=True)
        audit = with_rounds_left(measured, round_id + 1).as_dict()
        baseline = f"r{round_id - 1:04d}" if round_id else None
        report = {"audit": audit, "audit_unseen_texts": audit, "pending": 4, "skipped": 1}
        if baseline:
            report["difference"] = compare_weighted(
                truth, old, new, roots, names, weights, multi=True
            ).as_dict()
        report["savings"] = self.savings(20 * (round_id + 1))
        return Evaluation(model, baseline, report)

    def whole(self) -> None:
        """Four rounds behind us, the fifth training, the sixth with people."""
        self.ledger.control.set_bookmark(Bookmark.PROJECT, 3)
        self.fill_pool()
        for _ in range(4):
            number = self.push_round()
            self.annotate(number)
            self.close_round(number)
        number = self.push_round()
        self.annotate(number)
        self.step(Done({"annotated": BATCH, "left_open": 0}))
        self.step(Done({"consensus": BATCH}))
        self.fail("the child process was killed: out of memory; close other programs")
        number = self.push_round()
        self.annotate(number, 8)
        self.annotate(
            number, 1, key="ls:aside", standing=Standing.ASIDE, labels=(), reason="nothing chosen"
        )
        self.wait("12 of 20 tasks are open; the next round comes at 5")


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    service = Service(copy_bare(tmp_path / "workspace", "job_ads_it"))
    yield service
    service.close()


@pytest.fixture
def campaign(service: Service) -> Campaign:
    return Campaign(service)


@pytest.fixture
def woken() -> threading.Event:
    """Set once the loop is woken."""
    return threading.Event()


class Clock:
    """The seconds that the page goes by; they can be skipped."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped

    def skip(self, seconds: float) -> None:
        self.skipped += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(service: Service, woken: threading.Event, clock: Clock) -> Iterator[str]:
    """The page, over real HTTP."""
    server = WebServer(create_app(service, woken.set, clock), "127.0.0.1", 0)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def get(url: str) -> Iterator[Callable[..., httpx.Response]]:
    """GET as a browser asks."""
    with httpx.Client(base_url=url, headers={"Accept": "text/html"}) as client:
        yield client.get
