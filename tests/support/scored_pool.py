"""A pool that a round has scored, without a model."""

from datetime import datetime

import numpy as np

from biasloop.domain.model import ModelVersion
from biasloop.domain.round import Done
from biasloop.service.service import Service
from biasloop.store.scores import score_file


def score_pool(
    service: Service, label: str, now: datetime, trained_on: tuple[str, ...] = ()
) -> None:
    """The first round scores every item of the pool alike: it has this label, and no other. The
    model learned from the items `trained_on`."""
    names, ledger = service.campaign.scheme.labels, service.ledger
    ledger.add(
        [ModelVersion("m1", "tfidf", 0, "models/m1", {"labels": list(names)}, trained_on)], now
    )
    folder = service.layout.scores / "m1"
    folder.mkdir(parents=True)
    proba = np.where(np.array(names) == label, 0.75, 0.1).astype(np.float32)
    np.save(folder / "thresholds.npy", np.full(len(names), 0.5, np.float32))
    for number, _, count in service.pool.shards():
        np.save(score_file(folder, number, "proba"), np.tile(proba, (count, 1)))
    ledger.rounds.open({}, now)
    for facts in ({}, {"pool_rows": len(service.pool), "scored_with": "m1"}):
        claim = ledger.rounds.claim(now, "test", now)
        assert claim
        ledger.rounds.commit(claim, Done(facts), now)
