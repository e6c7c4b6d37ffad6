"""What an analyst begins with: ads by sector and month, some of whose sentences are labelled: those
of an audit with unequal chances, and what a strategy chose."""

from pathlib import Path

import numpy as np

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.measure.design import Draw
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.rounds.steps.candidates import frame_rows
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.store.scores import score_file
from support.annotations import AT, vote
from support.cli import write_jsonl
from support.scored_pool import score_pool

RATE = {"hotel": 0.3, "office": 0.15, "shop": 0.1}
"""The share of the sentences that ask for a waiter, by sector."""
ADS, PER_AD, MONTHS = 900, 3, 4
HUNTED = 150


def import_ads(service: Service, folder: Path) -> None:
    """Ads whose last sentence stands in many of them. The sentences with "Waiter" have the label
    gender; they become rarer with the months. The ads of one employer resemble each other."""
    rng = np.random.default_rng(4)
    ads = []
    for n in range(ADS):
        sector, month = list(RATE)[n % 3], n // 3 % MONTHS
        rate = RATE[sector] * (1.3 - 0.2 * month) * rng.choice([0.7, 1.3])
        nouns = np.where(rng.random(PER_AD) < rate, "Waiter", "Person")
        sentences = [f"{noun} wanted in {n}.{i} for a house." for i, noun in enumerate(nouns)]
        text = " ".join([*sentences, f"Please write to us before the end of the day {n % 60}."])
        ads.append(
            {"id": f"ad-{n}", "text": text, "sector": sector, "date": f"2026-0{1 + month}-15"}
        )
    import_file(service, write_jsonl(folder / "ads.jsonl", *ads))


def is_waiter(service: Service) -> np.ndarray:
    """The truth about every row of the pool."""
    return np.array(["Waiter" in text for text in service.pool.texts(range(len(service.pool)))])


def label(service: Service) -> None:
    """A round with a good model, an audit that prefers what the model flags, and a strategy that
    found only waiters; people label everything."""
    truth, rng = is_waiter(service), np.random.default_rng(5)
    score_pool(service, "gender", AT)
    flags = _score(service, truth, rng)
    pool = service.pool
    frame = frame_rows(pool, Arm.AUDIT, np.zeros(len(pool), dtype=bool))
    chances = np.where(flags[frame], 0.9, 0.4)
    audited = frame[rng.random(len(frame)) < chances]
    hunted = np.flatnonzero((pool.column("split") == Split.TRAIN) & truth)[:HUNTED]
    ids = pool.column("id")
    arms = [(row, Arm.AUDIT) for row in audited] + [(row, Arm.ACQUISITION) for row in hunted]
    batch = [Selection(str(ids[row]), int(row), arm, None, n) for n, (row, arm) in enumerate(arms)]
    draw = Draw.from_frame(Arm.AUDIT, frame, chances, audited)
    claim = service.ledger.rounds.claim(AT, "test", AT)
    assert claim
    service.ledger.rounds.commit(claim, Done(records=(*batch, draw)), AT)
    service.ledger.record([_answer(service, s, truth[s.row]) for s in batch])


def _answer(service: Service, selection: Selection, waiter: bool) -> Annotation:
    """The answer to a task; a vote without a task would be one that was imported."""
    return vote(
        selection.item_id,
        "gender" if waiter else "inclusive",
        asked=service.campaign.scheme.labels,
        task_id=selection.row,
        key=f"ls:{selection.row}",
    )


def _score(service: Service, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Writes what the model says of gender, and returns what it flags: nearly all waiters."""
    number_of_label = service.campaign.scheme.labels.index("gender")
    flags = truth ^ (rng.random(len(truth)) < np.where(truth, 0.03, 0.003))
    for number, start, count in service.pool.shards():
        path = score_file(service.layout.scores / "m1", number, "proba")
        proba = np.load(path)
        proba[:, number_of_label] = np.where(flags[start : start + count], 0.97, 0.01)
        np.save(path, proba)
    return flags
