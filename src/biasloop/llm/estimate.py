"""Estimates requests, tokens and cost of a plan before anything is spent."""

from collections.abc import Sequence
from dataclasses import dataclass

from biasloop.domain.writing.prompt import Price
from biasloop.domain.writing.synthesis import CampaignBrief, TextRequest
from biasloop.llm.guard import guard_prompt, outside_parents
from biasloop.llm.judge import judge_prompts
from biasloop.llm.prompting import Prompts

LIKELY_TOKENS = 60
"""Likely tokens of an answer: a sentence, or a judgement with its reason, without thinking."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan will take: requests, input tokens, and the likely and highest output tokens and
    cost. It assumes that every text is judged and that no answer is invalid."""

    requests: int
    tokens_in: int
    tokens_out: int
    tokens_out_at_most: int
    cost: float
    cost_at_most: float


def estimate(
    requests: Sequence[TextRequest],
    *,
    prompts: Prompts,
    guide: CampaignBrief,
    samples: int,
    price: Price,
    answer_tokens: int,
) -> Estimate:
    """Estimates the plan that consists of these requests."""
    all_prompts = [guard_prompt(item, prompts) for item in outside_parents(requests)]
    all_prompts += [request.prompt for request in requests]
    for request in requests:  # the parent stands for the text, which is about as long
        all_prompts += judge_prompts(prompts, guide, samples, request.parents[0].text, ())
    tokens_in, n = sum(prompt.tokens for prompt in all_prompts), len(all_prompts)
    likely, most = n * min(LIKELY_TOKENS, answer_tokens), n * answer_tokens
    return Estimate(
        n, tokens_in, likely, most, price.cost(tokens_in, likely), price.cost(tokens_in, most)
    )
