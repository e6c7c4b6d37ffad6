"""The review of what a language model wrote, in a real child process on a real pool."""

import os
import signal
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from biasloop.domain.annotation import Annotation
from biasloop.domain.item import Ad, Item, real_item, synthetic_item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.measure.probation import SEEDS, ProbationTerms, Review
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import ConsensusMethod
from biasloop.errors import JobError
from biasloop.rounds import child
from biasloop.rounds.child import Heartbeat, no_heartbeat
from biasloop.rounds.steps.train.data import training_data, training_set
from biasloop.rounds.steps.train.probation import review_rows, review_written
from biasloop.rounds.steps.train.recipe import Folders, Recipe
from biasloop.store.pool import ArrowPool
from support.annotations import vote
from support.trouble import job_children

SCHEME = Scheme(("age", "gender"), multi=True, none_label="inclusive")
WORDS = np.array([f"{a}{b}{c}o" for a, b, c in product("bdflmprst", ("era", "ilu"), "nrstv")])
"""Made-up words; the first CUES of them are cues for gender, the next for age, the others for
nothing."""
CUES = 15
WRITTEN = 80


def texts(n: int, seed: int) -> list[str]:
    """Three words each: there is much to learn from more of them."""
    rng = np.random.default_rng(seed)
    return [f"Cerchiamo {' '.join(rng.choice(WORDS, 3, False))} numero {i}." for i in range(n)]


RECIPE = Recipe(
    "tfidf", {}, {}, 0.5, ProbationTerms(3, 0.5, 0), ConsensusMethod.MAJORITY, soft=False, seed=0
)


def gold(text: str) -> tuple[str, ...]:
    words = {"gender": WORDS[:CUES], "age": WORDS[CUES : 2 * CUES]}
    labels = [label for label, signs in words.items() if set(signs) & set(text.split())]
    return tuple(labels) or ("inclusive",)


def swapped(text: str) -> tuple[str, ...]:
    """The labels of an annotator who confuses the two labels."""
    other = {"age": "gender", "gender": "age"}
    return tuple(other.get(label, label) for label in gold(text))


def vote_by(item: Item, source: LabelSource, labels: tuple[str, ...]) -> Annotation:
    facts = {"source": source, "asked": SCHEME.labels, "annotator": "somebody"}
    return vote(item.id, *labels, key=f"{source}:{item.id}", **facts)


class Campaign:
    """Labelled real items, and texts written from some of them."""

    def __init__(self, folder: Path, judge: Callable[[str], tuple[str, ...]], real: int) -> None:
        self.folder, self.pool = folder, ArrowPool(folder / "pool")
        ads = [Ad(f"ad-{i}", text) for i, text in enumerate(texts(real, seed=0))]
        items = [real_item(ad, 0, len(ad.text), Split.TRAIN) for ad in ads]
        written = [
            synthetic_item((items[i % 20], items[(i + 1) % 20]), text, f"llm:write:age@{i}")
            for i, text in enumerate(texts(WRITTEN, seed=1))
        ]
        self.pool.append(items + written, ads)
        self.annotations = [vote_by(item, LabelSource.HUMAN, gold(item.text)) for item in items]
        self.annotations += [vote_by(item, LabelSource.LLM, judge(item.text)) for item in written]

    def review(self, name: str = "train", heartbeat: Heartbeat = no_heartbeat) -> Done:
        return review_written(
            pool=self.pool,
            annotations=self.annotations,
            sequence=len(self.annotations),
            scheme=SCHEME,
            recipe=RECIPE,
            folders=Folders(self.folder / name, self.folder / "pool", self.folder / "features"),
            heartbeat=heartbeat,
        )


def only_review(done: Done) -> Review:
    (review,) = done.records
    assert isinstance(review, Review)
    assert done.facts == {"probation": review.as_dict()}
    return review


def test_good_texts_are_kept(tmp_path: Path) -> None:
    review = only_review(Campaign(tmp_path, gold, real=100).review())
    assert review.kept, review
    assert (review.texts, review.n_items, review.n_roots) == (WRITTEN, 100, 100)
    assert (review.measured, review.up_to, review.weight) == (SCHEME.labels, 100 + WRITTEN, 0.5)


def test_poison_is_refused(tmp_path: Path) -> None:
    review = only_review(Campaign(tmp_path, swapped, real=100).review())
    assert not review.kept, review
    assert review.gain.value < 0


def test_without_texts_or_labels_there_is_no_review(tmp_path: Path) -> None:
    few = Campaign(tmp_path / "few", gold, real=20)
    done = few.review()
    assert done.records == ()
    assert done.facts["probation"]["kept"] is None
    assert "no label has 30 positives" in done.facts["probation"]["why"]
    few.annotations = few.annotations[:20]
    assert few.review() == Done()
    few.annotations = []
    assert few.review() == Done()
    assert not (tmp_path / "few" / "train").exists()


def test_no_fold_holds_a_text_with_a_root_that_another_is_judged_by(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, gold, real=100)
    written = {a.item_id: 0.5 for a in campaign.annotations}
    data = training_data(
        campaign.pool, campaign.annotations, SCHEME, constructed_weight=0.5, written=written
    )
    training = training_set(data, SCHEME.labels, SCHEME.multi)
    rows = review_rows(data, training)
    items = campaign.pool.items(data["row"].tolist())
    fold_of_root = {
        root: fold
        for item, fold, judged in zip(items, training.roots, rows.real, strict=True)
        if judged
        for root in item.roots
    }
    for item, fold, text in zip(items, training.roots, rows.written, strict=True):
        if text:
            assert {fold_of_root[root] for root in item.roots} == {fold}
    # What is resampled are the ads themselves, not what texts joined.
    assert len(set(rows.roots[rows.real])) == 100
    assert pd.Series(training.roots[rows.real]).nunique() == 81


def test_a_killed_review_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "BEAT_SECONDS", 0)
    campaign = Campaign(tmp_path, gold, real=100)
    unbroken = only_review(campaign.review("unbroken"))

    def kill() -> None:
        if len(list((tmp_path / "train").glob("*/with*-?.npz"))) >= 3:
            for pid in job_children():
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(JobError, match="signal 9"):
        campaign.review("train", kill)
    (folder,) = (tmp_path / "train").iterdir()
    assert not (folder / "result.json").exists()
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("with*-?.npz")}
    assert 3 <= len(finished) < 2 * SEEDS
    assert only_review(campaign.review()) == unbroken
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert len(list(folder.glob("with*-?.npz"))) == 2 * SEEDS
