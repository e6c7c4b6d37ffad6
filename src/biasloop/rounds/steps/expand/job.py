"""The expand job: every expander over the labelled train items, in a child process."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from biasloop.domain.writing.screening import TextProfile
from biasloop.domain.writing.synthesis import WritingMaterial
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Checkpoint, PromptExpander, needs_language_model
from biasloop.rounds.results import Result
from biasloop.rounds.steps.expand.handover import (
    ExpandJob,
    corpus_from_table,
    rejected_file,
    synthetic_file,
    write_rejected,
    write_synthetic,
)
from biasloop.store.pool import ArrowPool
from biasloop.workspace.campaign import guide_of, read_campaign
from biasloop.workspace.layout import Layout
from biasloop.workspace.settings import LlmSettings


def expand(folder: Path, job: ExpandJob, checkpoint: Checkpoint) -> Result:
    """Runs the expanders of a job. The result has, under "synthesis", the facts of each expander
    that needs a language model, by its name."""
    layout = Layout(job.workspace)
    pool = ArrowPool(layout.pool)
    table = pd.read_parquet(folder / "corpus.parquet")
    corpus = corpus_from_table(table, pool, job.errors, job.turn)
    facts = {}
    for name, options in job.expanders.items():
        expander = create(Kind.EXPANDER, name, options)
        if needs_language_model(expander):
            facts[name] = _synthesise(folder, name, expander, corpus, layout, job, checkpoint)
        else:
            write_synthetic(synthetic_file(folder, name), expander.expand(corpus.parents, job.seed))
        checkpoint()
    return {"synthesis": facts} if facts else {}


def _synthesise(
    folder: Path,
    name: str,
    expander: PromptExpander,
    corpus: WritingMaterial,
    layout: Layout,
    job: ExpandJob,
    checkpoint: Checkpoint,
) -> dict[str, Any]:
    """Has a language model write the texts that the expander plans; returns the facts."""
    from biasloop.llm.judge import Judge
    from biasloop.llm.prompting import read_prompts
    from biasloop.rounds.steps.expand.synthesis import synthesise
    from biasloop.workspace.language_model import open_model  # its client takes a second to load

    settings = LlmSettings(**job.llm)
    campaign = read_campaign(layout.campaign)
    prompts = read_prompts(layout.campaign)
    guide = guide_of(campaign, job.policy)
    requests = expander.plan(corpus, guide, job.seed)
    with closing(open_model(layout, settings, job.purse)) as generator:
        synthesis = synthesise(
            requests,
            generator=generator,
            judge=Judge(generator, prompts, guide, settings.judge_samples),
            prompts=prompts,
            pool=ArrowPool(layout.pool),
            known={item.id for item, _ in corpus.written},
            measure=TextProfile.from_texts(
                [item.text for item, _ in corpus.parents], prompts.filters.meta_talk
            ),
            language=campaign.about.language,
            model=settings.model,
            checkpoint=checkpoint,
        )
        write_synthetic(synthetic_file(folder, name), synthesis.made)
        write_rejected(rejected_file(folder, name), synthesis.rejected)
        return synthesis.facts(requests, generator, job.seed)
