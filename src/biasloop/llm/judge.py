"""A language model as annotator: it labels texts under a policy and gives a reason."""

from collections.abc import Sequence

from biasloop.domain.writing.judgement import Judgement, combine_samples
from biasloop.domain.writing.prompt import Problem, Prompt, object_schema
from biasloop.domain.writing.synthesis import CampaignBrief
from biasloop.llm.prompting import Prompts
from biasloop.ports import Checkpoint, Generator, no_checkpoint

SAMPLING_TEMPERATURE = 0.7
"""Temperature for several samples, so that they differ; a single sample is taken at 0."""


class Judge:
    """Labels texts under `guide`, with `samples` answers for each text."""

    def __init__(
        self, generator: Generator, prompts: Prompts, guide: CampaignBrief, samples: int = 1
    ) -> None:
        self._generator = generator
        self._prompts = prompts
        self._guide = guide
        self._samples = samples

    def judge(
        self,
        texts: Sequence[str],
        roots: Sequence[tuple[str, ...]],
        *,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> list[Judgement | Problem]:
        """A judgement for each text, or why there is none. `roots` are the roots of each text."""
        k = self._samples
        prompts = [
            prompt
            for text, text_roots in zip(texts, roots, strict=True)
            for prompt in judge_prompts(self._prompts, self._guide, k, text, text_roots)
        ]
        answers = self._generator.ask(prompts, checkpoint=checkpoint)
        return [
            combine_samples(answers[i * k : (i + 1) * k], self._guide.scheme)
            for i in range(len(texts))
        ]


def judge_prompts(
    prompts: Prompts, guide: CampaignBrief, samples: int, text: str, roots: tuple[str, ...]
) -> list[Prompt]:
    """The prompts about one text, one for each sample."""
    choices = guide.scheme.choices
    system, user = prompts.render(
        "judge",
        definitions=guide.definitions,
        guideline=guide.policy.text.strip(),
        choices=choices,
        none=guide.scheme.none_label,
        text=text,
    )
    labels = {"type": "array", "items": {"type": "string", "enum": list(choices)}}
    schema = object_schema({"reason": {"type": "string"}, "labels": labels})
    temperature = SAMPLING_TEMPERATURE if samples > 1 else 0.0
    return [Prompt(system, user, schema, temperature, i, roots) for i in range(samples)]
