"""The job of a tuning, in a child process."""

from pathlib import Path
from typing import Any

import pandas as pd

from biasloop.ports import Checkpoint
from biasloop.store.atomic import written_whole
from biasloop.tuning.handover import TuneJob


def tune(folder: Path, job: TuneJob, checkpoint: Checkpoint) -> dict[str, Any]:
    """Trains an adapter on the pairs of pairs.parquet, or on the model's own answers to their
    prompts; see biasloop.tuning.training."""
    # trl is an extra and torch is slow to load, so a spare child has imported all jobs but not
    # these.
    from biasloop.tuning.base import read_tokenizer
    from biasloop.tuning.placebo import sample_answers
    from biasloop.tuning.training import load_model, train

    tokenizer = read_tokenizer(job.base)
    model = load_model(job.base, job.on, job.recipe)
    rows = pd.read_parquet(folder / "pairs.parquet").to_dict("records")
    if job.placebo:
        answers = folder / "answers.parquet"
        if not answers.exists():  # those of a killed attempt are used again
            with written_whole(answers) as temporary:
                pd.DataFrame(
                    sample_answers(model, tokenizer, rows, job.recipe, checkpoint)
                ).to_parquet(temporary)
        rows = pd.read_parquet(answers).to_dict("records")
    return train(model, tokenizer, rows, job.recipe, folder, checkpoint)
