"""Within AGGREGATED -> TRAINED: whether the texts of language models may teach."""

from collections.abc import Sequence

import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.learning import TrainingSet
from biasloop.domain.measure.metric import MIN_POSITIVES
from biasloop.domain.measure.probation import Review, Rows
from biasloop.domain.round import Done
from biasloop.ports import Pool
from biasloop.rounds.child import Heartbeat, job_folder, run_job
from biasloop.rounds.steps.train.data import training_data, training_set
from biasloop.rounds.steps.train.handover import ReviewJob
from biasloop.rounds.steps.train.recipe import Folders, Recipe


def review_written(
    *,
    pool: Pool,
    annotations: Sequence[Annotation],
    sequence: int,
    scheme: Scheme,
    recipe: Recipe,
    folders: Folders,
    heartbeat: Heartbeat,
) -> Done:
    """A review of all texts written up to `sequence`; it is the one record.

    Without such texts there is nothing to try; without a label that can be measured there is no
    verdict, and the facts say why. Raises ClassifierError when the labels cannot be learned from.
    """
    data = training_data(
        pool,
        annotations,
        scheme,
        recipe.consensus,
        constructed_weight=recipe.constructed_weight,
        written={a.item_id: recipe.written.weight for a in annotations},
    )
    rows = review_rows(data, training_set(data, scheme.labels, scheme.multi))
    if not rows.written.any():
        return Done()
    if not len(rows.measurable):
        why = f"no label has {MIN_POSITIVES} positives among the real items that people labelled"
        texts = int(rows.written.sum())
        return Done(facts={"probation": {"kept": None, "why": why, "texts": texts}})
    job = ReviewJob(
        **recipe.learning(scheme, folders), weight=recipe.written.weight, up_to=sequence
    )
    work = job_folder(folders.work, job, data=data)
    review = Review.of(run_job(work, job, heartbeat))
    return Done(facts={"probation": review.as_dict()}, records=(review,))


def review_rows(data: pd.DataFrame, made: TrainingSet) -> Rows:
    """The rows of `training_data`, and of the training set made of them, as a review has them.

    Only real items are shown to people, so what they labelled is real.
    """
    source = data["source"]
    return Rows(
        truth=made.labels,
        judged=(source == LabelSource.HUMAN).to_numpy(),
        written=(source == LabelSource.LLM).to_numpy(),
        roots=data["root"].to_numpy(str),
        names=made.label_names,
    )
