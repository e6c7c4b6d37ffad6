"""What acquired labels have saved, measured by the step on real models and a real pool."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.item import Ad, Item, real_item, seed_item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.measure.probation import ProbationTerms
from biasloop.domain.model import Evaluation, ModelVersion
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import ConsensusMethod
from biasloop.rounds.child import no_heartbeat
from biasloop.rounds.steps.evaluate.audit import audit_set
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.savings import compare_arms, report_savings
from biasloop.rounds.steps.evaluate.step import evaluate
from biasloop.rounds.steps.train.recipe import Recipe
from biasloop.rounds.steps.train.step import train
from biasloop.store.pool import ArrowPool
from support.annotations import vote

SCHEME = Scheme(("age", "gender"), multi=True, none_label="inclusive")
WHO = ("un fabbro", "una sarta", "personale", "gente", "chi sa cucire")
WHERE = ("Lecco", "Como", "Erba", "Sondrio", "Monza", "Lodi", "Crema", "Pavia", "Varese", "Bergamo")
WHAT = ("turni diurni", "non oltre i 30 anni", "patente B", "contratto annuale")
TEXTS = [f"Cerchiamo {who} a {where}: {what}." for where in WHERE for who in WHO for what in WHAT]

MODEL_ID = "r0000"


def gold(text: str) -> tuple[str, ...]:
    signs = {"gender": (" un ", " una "), "age": (" anni.",)}
    labels = [label for label, words in signs.items() if any(word in text for word in words)]
    return tuple(labels) or ("inclusive",)


def human_vote(item: Item, source: LabelSource = LabelSource.HUMAN) -> Annotation:
    return vote(item.id, *gold(item.text), source=source, asked=SCHEME.labels)


@dataclass
class Campaign:
    """Items of each arm, seeds, and their annotations."""

    context: EvaluationContext
    annotations: list[Annotation]
    selections: list[tuple[int, Selection]]

    @classmethod
    def build(
        cls,
        folder: Path,
        acquired: Sequence[str],
        random: Sequence[str],
        seeds: Sequence[str],
        audited: int = len(TEXTS),
    ) -> "Campaign":
        pool = ArrowPool(folder / "pool")
        arms = {
            Arm.ACQUISITION: items_of_ads("acquired", acquired, Split.TRAIN),
            Arm.RANDOM_TRAIN: items_of_ads("random", random, Split.TRAIN),
            Arm.AUDIT: items_of_ads("audit", TEXTS[:audited], Split.AUDIT),
        }
        items = [item for of_arm in arms.values() for item in of_arm]
        seeded = [seed_item(f"seed:{i}", text) for i, text in enumerate(seeds)]
        pool.append(items + seeded)
        annotations = [human_vote(item) for item in items]
        annotations += [human_vote(item, LabelSource.SEED) for item in seeded]
        selections = [
            (0, Selection(item.id, row, arm, None, row))
            for arm, of_arm in arms.items()
            for row, item in enumerate(of_arm)
        ]
        (folder / "models").mkdir()
        context = EvaluationContext(
            pool=pool,
            scheme=SCHEME,
            consensus=ConsensusMethod.MAJORITY,
            seed=0,
            workspace=folder,
            models=folder / "models",
            work_folder=folder / "evaluate",
            pool_folder=folder / "pool",
            features_folder=folder / "features",
            heartbeat=no_heartbeat,
        )
        return cls(context, annotations, selections)

    def train(self) -> ModelVersion:
        folder = self.context.workspace
        done = train(
            model_id=MODEL_ID,
            pool=self.context.pool,
            pool_folder=folder / "pool",
            features_folder=folder / "features",
            annotations=self.annotations,
            random=set(),
            sequence=1,
            review=None,
            review_due=True,
            scheme=SCHEME,
            recipe=Recipe(
                "tfidf",
                {},
                {},
                0.5,
                ProbationTerms(3, 0.5, 0),
                ConsensusMethod.MAJORITY,
                soft=False,
                seed=0,
            ),
            work_folder=folder / "train",
            models_folder=self.context.models,
            heartbeat=no_heartbeat,
        )
        (model,) = done.records
        return model

    def evaluate(self, model: ModelVersion) -> dict[str, Any]:
        """What the evaluation reports of the savings."""
        done = evaluate(
            model=model,
            trained_on=(),
            in_service=None,
            earlier=(),
            annotations=self.annotations,
            selections=self.selections,
            promote=True,
            stopping=None,
            context=self.context,
        )
        evaluation = next(record for record in done.records if isinstance(record, Evaluation))
        savings: dict[str, Any] = evaluation.report["savings"]
        return savings

    def report_without_models(self) -> dict[str, Any]:
        asked = [s.item_id for _, s in self.selections if s.arm is Arm.AUDIT]
        audit = audit_set(self.context.pool, self.annotations, SCHEME, asked)
        comparison = compare_arms(self.annotations, self.selections, audit, self.context)
        assert comparison.frame is None
        return report_savings(comparison, {}, audit, Path(), self.context)


def items_of_ads(name: str, texts: Sequence[str], split: Split) -> list[Item]:
    ads = [Ad(f"{name}-{i}", f"{text} ({i})") for i, text in enumerate(texts)]
    return [real_item(ad, 0, len(ad.text), split) for ad in ads]


def test_both_arms_teach_models_that_are_measured_on_the_audit(tmp_path: Path) -> None:
    genderless = [text for text in TEXTS if " un" not in text]  # teach nothing of gender
    campaign = Campaign.build(tmp_path, TEXTS[::3], genderless[:60], seeds=TEXTS[:61])
    model = campaign.train()
    report = campaign.evaluate(model)
    assert (report["labels"], report["with_seeds"]) == (60, False)  # seeds would drown the labels
    assert [p["labels"] for p in report["points"]] == [7, 15, 22, 30, 37, 45, 52, 60]
    last = report["points"][-1]
    assert last["acquired"]["value"] > 0.8
    assert 0 < last["difference"]["low"] < last["difference"]["high"] < 1
    assert report["saved"] is None
    assert report["why"] == "even 7 acquired labels score no less than 60 random ones"

    (work,) = (path.parent for path in campaign.context.work_folder.glob("*/flags.npy"))
    for killed in (
        "result.json",
        "savings.json",
        "flags.npy",
        "078.npy",
    ):  # before the last model was through
        (work / killed).unlink()
    rest = sorted(work.glob("0*.npy"))
    written = [path.stat().st_mtime_ns for path in rest]
    assert campaign.evaluate(model) == report
    assert [path.stat().st_mtime_ns for path in rest] == written
    assert len(rest) == 78


@pytest.mark.parametrize(
    ("labels", "audited", "why"),
    [
        (39, 40, "60 acquired and 39 random labels, 40 of each needed"),
        (40, 20, r"\d+ positives in \d+ audit ads, 30 in 10 needed"),
    ],
)
def test_too_few_labels_to_measure(tmp_path: Path, labels: int, audited: int, why: str) -> None:
    campaign = Campaign.build(tmp_path, TEXTS[:60], TEXTS[:labels], TEXTS[:9], audited)
    report = campaign.report_without_models()
    assert re.fullmatch(why, report.pop("why"))
    assert report == {"labels": labels, "with_seeds": True, "points": (), "saved": None}


TROUBLE = """
import os, signal
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.tfidf import Tfidf

class Trouble(Tfidf):
    def fit(self, data, **how):
        {trouble}
"""
REGISTER = """
from biasloop.plugins.registry import Kind, register
register(Kind.CLASSIFIER, "trouble", "trouble:Trouble", "biasloop.plugins.registry:Options")
"""


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ("raise ClassifierError('too many labels')", "the models failed: too many labels"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the models failed: the child process in "),
    ],
)
def test_models_that_fail_do_not_keep_the_round_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, why: str
) -> None:
    campaign = Campaign.build(tmp_path, TEXTS[:40], TEXTS[:40], seeds=())
    model = replace(campaign.train(), classifier="trouble")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "trouble.py").write_text(TROUBLE.format(trouble=trouble))
    (plugins / "sitecustomize.py").write_text(REGISTER)
    monkeypatch.setenv("PYTHONPATH", str(plugins), prepend=os.pathsep)
    report = campaign.evaluate(model)
    assert report["why"].startswith(why)
    assert (report["points"], report["saved"]) == ((), None)
    assert campaign.evaluate(model) == report  # a retry after the parent was killed
