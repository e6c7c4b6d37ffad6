"""The placebo of a tuning: the model's own earlier answers to the same prompts.

A tuning moves what a model says even where its texts say nothing on the matter (Kamal et al. 2025,
arXiv 2506.22493). What a tuning changes beyond its placebo is what its texts did.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from biasloop.ports import Checkpoint
from biasloop.tuning.handover import Recipe
from biasloop.tuning.rows import to_messages


def sample_answers(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Mapping[str, Any]],
    recipe: Recipe,
    checkpoint: Checkpoint,
) -> list[dict[str, Any]]:
    """The rows, with `chosen` and `rejected` replaced by two answers of the model to the prompt,
    sampled at temperature 1. They are as long as the model makes them; prompt and answer have at
    most `recipe.max_length` tokens. Same seed, same answers."""
    torch.manual_seed(recipe.seed)
    model.eval()
    answered_rows = []
    for row in rows:
        checkpoint()
        chosen, rejected = _sample(model, tokenizer, row, recipe.max_length)
        answered_rows.append(dict(row) | {"chosen": chosen, "rejected": rejected})
    return answered_rows


def _sample(model: Any, tokenizer: Any, row: Mapping[str, Any], max_length: int) -> list[str]:
    ids = tokenizer.apply_chat_template(
        to_messages(row), add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    start = ids["input_ids"].shape[1]
    with torch.no_grad():
        answers = model.generate(
            **ids,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            num_return_sequences=2,
            max_length=max_length,
            pad_token_id=tokenizer.pad_token_id,
        )
    texts: list[str] = tokenizer.batch_decode(answers[:, start:], skip_special_tokens=True)
    return texts
