"""How much a plan will take, before anything is spent."""

from collections.abc import Sequence
from dataclasses import dataclass

from biasloop.domain.writing.prompt import Price
from biasloop.domain.writing.synthesis import CampaignBrief, TextRequest
from biasloop.llm.guard import guard_prompt, outsiders
from biasloop.llm.judge import judge_prompts
from biasloop.llm.prompting import Prompts

LIKELY_TOKENS = 60
"""Of an answer, a sentence or a judgement with its reason, where the model does not think aloud."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan will take: requests, tokens in, and tokens out and cost as they are likely to be
    and at most. Every text is taken to be judged, and no answer to need a repair."""

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
    """The size of a plan."""
    asked = [guard_prompt(item, prompts) for item in outsiders(requests)]
    asked += [request.prompt for request in requests]
    for request in requests:  # a text as long as its parent stands in for it
        asked += judge_prompts(prompts, guide, samples, request.parents[0].text, ())
    tokens_in, n = sum(prompt.tokens for prompt in asked), len(asked)
    likely, most = n * min(LIKELY_TOKENS, answer_tokens), n * answer_tokens
    return Estimate(
        n, tokens_in, likely, most, price.cost(tokens_in, likely), price.cost(tokens_in, most)
    )
