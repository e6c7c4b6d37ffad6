"""A pool whose shares are known, and an audit of it."""

from pathlib import Path

import numpy as np

from biasloop.domain.batch import Arm, Selection
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.store.scores import score_file
from support.annotations import AT, vote
from support.cli import write_jsonl
from support.scored_pool import score_pool

ADS, PER_AD = 200, 5


def import_waiters(service: Service, folder: Path) -> None:
    """A thousand sentences; the second one of every ad asks for a waiter, and ads 0, 1, 10, 11 …
    ask for one in their first sentence, too."""
    ads = [
        {
            "id": f"ad-{n}",
            "text": " ".join(
                f"{'Waiter' if i == 1 or (i == 0 and n % 10 < 2) else 'Person'} wanted in {n}.{i} "
                "for a house."
                for i in range(PER_AD)
            ),
            "sector": "hotel" if n % 2 else "shop",
            "published": f"2026-0{1 + n % 3}-15",
        }
        for n in range(ADS)
    ]
    import_file(service, write_jsonl(folder / "in.jsonl", *ads))


def is_waiter(service: Service) -> np.ndarray:
    return np.array(["Waiter" in text for text in service.pool.texts(range(len(service.pool)))])


def audit(service: Service, n: int, skill: float = 0.9, trained_on: tuple[str, ...] = ()) -> None:
    """A round with a model that sees `skill` of every label, an audit of n items, and a strategy
    that found only waiters; people label everything."""
    truth, rng = is_waiter(service), np.random.default_rng(0)
    score_pool(service, "gender", AT, trained_on)
    names = service.campaign.scheme.labels
    for number, start, count in service.pool.shards():
        path = score_file(service.layout.scores / "m1", number, "proba")
        proba = np.load(path)
        right = rng.random(count) < skill
        proba[:, names.index("gender")] = np.where(
            right, np.where(truth[start : start + count], 0.95, 0.02), 0.3
        )
        np.save(path, proba)
    split = service.pool.column("split")
    audited = rng.choice(np.flatnonzero(split == Split.AUDIT), n, replace=False)
    hunted = np.flatnonzero((split == Split.TRAIN) & truth)[:100]
    ids = service.pool.column("id")
    selections = tuple(
        Selection(str(ids[row]), int(row), arm, None, position)
        for position, (row, arm) in enumerate(
            [(r, Arm.AUDIT) for r in audited] + [(r, Arm.ACQUISITION) for r in hunted]
        )
    )
    claim = service.ledger.rounds.claim(AT, "test", AT)
    assert claim
    service.ledger.rounds.commit(claim, Done({"batch": len(selections)}, selections), AT)
    service.ledger.record(
        [
            vote(s.item_id, "gender" if truth[s.row] else "inclusive", asked=names)
            for s in selections
        ]
    )
