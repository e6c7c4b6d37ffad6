"""A slow classifier on a large pool: what it scores, and what the cascade reports."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from biasloop.domain.batch import Quota, Rows, Selection
from biasloop.domain.item import Ad, real_item
from biasloop.domain.learning import Scores
from biasloop.domain.split import Split
from biasloop.plugins.classifiers.mixed.linear_part import LINEAR
from biasloop.plugins.registry import Kind, create
from biasloop.rounds.child import run_job
from biasloop.rounds.results import Result
from biasloop.rounds.steps.score.handover import ScoreJob
from biasloop.rounds.steps.select import select
from biasloop.rounds.steps.train.handover import TrainJob
from biasloop.store.pool import ArrowPool
from biasloop.store.scores import read_scores

SLOW = """
from pathlib import Path
from biasloop.plugins.classifiers.tfidf import Tfidf

class Slow:
    \"\"\"A tfidf that keeps no features and notes what it is asked to score.\"\"\"

    offers = frozenset({"proba"})

    def __init__(self):
        self.inner = Tfidf()

    def fit(self, data, *, seed, checkpoint, work=None):
        return self.inner.fit(data, seed=seed)

    def score(self, texts, needs, *, checkpoint):
        with Path("asked").open("a") as file:
            file.writelines(text + "\\n" for text in texts)
        return self.inner.score(texts, needs)

    @property
    def thresholds(self):
        return self.inner.thresholds

    def save(self, folder):
        self.inner.save(folder)

    @classmethod
    def load(cls, folder):
        loaded = cls()
        loaded.inner = Tfidf.load(folder)
        return loaded
"""
REGISTER = """
from biasloop.plugins.registry import Kind, register
register(Kind.CLASSIFIER, "slow", "slow:Slow")
"""
ROWS, LABELLED, CASCADE = 600, 60, 80


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArrowPool:
    """Ads of three kinds: clearly yes, clearly no, and a mixture of both."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "slow.py").write_text(SLOW)
    (plugins / "sitecustomize.py").write_text(REGISTER)
    monkeypatch.setenv("PYTHONPATH", str(plugins), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    pool = ArrowPool(tmp_path / "pool")
    kinds = ("cerchiamo un uomo robusto", "cerchiamo persone gentili", "un uomo, persone")
    ads = [Ad(f"ad-{i}", f"{kinds[i % 3]} sede {i}") for i in range(ROWS)]
    pool.append([real_item(ad, 0, len(ad.text), Split.TRAIN) for ad in ads], ads)
    return pool


def train(pool: ArrowPool, folder: Path) -> Path:
    rows = [i for i in range(ROWS) if i % 3 < 2][:LABELLED]
    data = pd.DataFrame(
        {
            "row": rows,
            "text": pool.texts(rows),
            "fold": [f"ad-{i}" for i in rows],
            "source": "human",
            "random": True,
            "weight": 1.0,
            "label_gender": [int(i % 3 == 0) for i in rows],
        }
    )
    folder.mkdir()
    data.to_parquet(folder / "data.parquet")
    pd.DataFrame({"row": range(2, ROWS, 3)}).to_parquet(folder / "sample.parquet")
    job = TrainJob(
        classifier="slow",
        options={},
        labels=("gender",),
        multi=True,
        seed=0,
        pool=folder.parent / "pool",
        features=folder.parent / "features",
        linear={},
    )
    run_job(folder, job)
    return folder / "model"


def score(model: Path, frame: pd.DataFrame) -> Result:
    """What the job of scoring with that model returns; the scores are in `scores` next to it."""
    parent = model.parents[1]
    work = parent / "score"
    work.mkdir()
    frame.to_parquet(work / "candidates.parquet")
    job = ScoreJob(
        classifier="slow",
        model=model,
        pool=parent / "pool",
        pool_rows=ROWS,
        features=parent / "features",
        needs=("proba",),
        multi=True,
        cascade=CASCADE,
        seed=0,
        out=parent / "scores",
    )
    return run_job(work, job)


def test_the_slow_classifier_scores_what_the_linear_one_doubts_and_a_sample(
    pool: ArrowPool, tmp_path: Path
) -> None:
    model = train(pool, tmp_path / "train")
    assert (model / LINEAR / "head.npz").exists()
    row = np.arange(ROWS)
    result = score(model, pd.DataFrame({"row": row, "always": row < 5}))
    proba = read_scores(tmp_path / "scores", "proba", pool.shards(), row)[:, 0]
    scored = np.flatnonzero(~np.isnan(proba))
    assert len((tmp_path / "asked").read_text().splitlines()) == len(scored)
    assert set(range(5)) <= set(scored)
    mixed = scored[scored % 3 == 2]
    assert len(mixed) >= CASCADE, "the doubtful kind is what the linear model passes on"
    assert CASCADE < len(scored) <= CASCADE + CASCADE // 10 + 5
    report = result["cascade"]
    assert report["of"] == ROWS - 5
    assert report["by_chance"] == pytest.approx(CASCADE / (ROWS - 5))
    assert 0 <= report["found"] <= 1


def test_a_pool_no_larger_than_the_cascade_is_scored_whole(pool: ArrowPool, tmp_path: Path) -> None:
    model = train(pool, tmp_path / "train")
    frame = pd.DataFrame({"row": np.arange(50), "always": False})
    files = [f"{number:06d}.proba.npy" for number, _, _ in pool.shards()]
    assert score(model, frame) == {"scored": ROWS, "files": files}
    proba = read_scores(tmp_path / "scores", "proba", pool.shards(), np.arange(ROWS))
    assert not np.isnan(proba).any()


def test_what_was_not_scored_is_not_chosen(pool: ArrowPool) -> None:
    def scores(rows: Rows) -> Scores:
        proba = np.where(rows % 5 == 0, 0.5, np.nan)[:, None].astype(np.float32)
        return Scores({"proba": proba}, np.array([0.5], np.float32), multi=True)

    done = select(
        round_id=1,
        pool=pool,
        pool_rows=ROWS,
        answered=frozenset(),
        selected=(),
        quota=Quota(acquisition=30, audit=0, random_train=0),
        strategy=create(Kind.STRATEGY, "auto"),
        read_scores=scores,
        max_per_ad=3,
        seed=0,
    )
    chosen = [selection.row for selection in done.records if isinstance(selection, Selection)]
    assert len(chosen) == 30
    assert all(row % 5 == 0 for row in chosen)
