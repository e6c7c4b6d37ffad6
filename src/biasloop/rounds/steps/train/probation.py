"""Part of AGGREGATED -> TRAINED: decides whether models learn from texts by language models."""

from collections.abc import Sequence

import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import BY_PEOPLE, LabelSource, Scheme
from biasloop.domain.learning import TrainingSet
from biasloop.domain.measure.metric import MIN_POSITIVES
from biasloop.domain.measure.probation import Review, ReviewRows
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
    """Reviews all texts that language models wrote up to `sequence`; the review is the only record.

    There is no review without such texts, nor if no label can be measured; the facts then say
    why. Raises ClassifierError when the labels cannot be learned from.
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
    review = Review.from_dict(run_job(work, job, heartbeat))
    return Done(facts={"probation": review.as_dict()}, records=(review,))


def review_rows(data: pd.DataFrame, training: TrainingSet) -> ReviewRows:
    """The rows of a review, from those of `training_data` and the training set made of them.

    Annotators only ever see real items, so the rows that they labelled are real.
    """
    source = data["source"]
    return ReviewRows(
        truth=training.labels,
        real=source.isin(BY_PEOPLE).to_numpy(),
        written=(source == LabelSource.LLM).to_numpy(),
        roots=data["root"].to_numpy(str),
        names=training.label_names,
    )
