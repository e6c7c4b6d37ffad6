"""Labels suggested by a language model, shown to annotators where the campaign asks for it."""

from collections.abc import Sequence
from contextlib import closing

from biasloop.domain.item import Item
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.synthesis import CampaignBrief
from biasloop.ports import Checkpoint
from biasloop.workspace.layout import Layout
from biasloop.workspace.settings import LlmSettings


def prelabels(
    items: Sequence[Item],
    guide: CampaignBrief,
    layout: Layout,
    settings: LlmSettings,
    purse: str,
    checkpoint: Checkpoint,
) -> dict[str, Judgement]:
    """The judgement of each item under `guide`, by item id; items without a usable answer are left
    out.

    Answers are cached, so a second call costs nothing. Raises ConfigError when the settings name
    no model.
    """
    from biasloop.llm.judge import Judge
    from biasloop.llm.prompting import read_prompts
    from biasloop.workspace.language_model import open_model  # its client takes a second to load

    prompts = read_prompts(layout.campaign)
    with closing(open_model(layout, settings, purse)) as generator:
        judge = Judge(generator, prompts, guide, settings.judge_samples)
        answers = judge.judge(
            [item.text for item in items], [item.roots for item in items], checkpoint=checkpoint
        )
    return {
        item.id: answer
        for item, answer in zip(items, answers, strict=True)
        if isinstance(answer, Judgement)
    }
