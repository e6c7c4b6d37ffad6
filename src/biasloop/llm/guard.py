"""Tests whether a text distracts the model from its task: known-answer detection.

With each text from outside, the model is asked for a code that only its instructions contain. If
the answer is not that code, the model followed the text instead (Liu et al. 2024, "Formalizing and
Benchmarking Prompt Injection Attacks and Defenses").
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from biasloop.domain.item import Item, Origin
from biasloop.domain.writing.prompt import Problem, Prompt, object_schema
from biasloop.domain.writing.synthesis import TextRequest
from biasloop.llm.prompting import Prompts
from biasloop.ports import Checkpoint, Generator, no_checkpoint

SCHEMA = object_schema({"code": {"type": "string"}})


def outside_parents(requests: Iterable[TextRequest]) -> list[Item]:
    """The distinct parents that come from real ads, not from the campaign."""
    parents = (parent for request in requests for parent in request.parents)
    return list({p.id: p for p in parents if p.origin is Origin.REAL}.values())


def check_texts(
    items: Sequence[Item],
    generator: Generator,
    prompts: Prompts,
    *,
    checkpoint: Checkpoint = no_checkpoint,
) -> dict[str, bool | None]:
    """By item id whether the model keeps to its task when it sees the text; None if it was not
    asked."""
    answers = generator.ask([guard_prompt(item, prompts) for item in items], checkpoint=checkpoint)
    return {
        item.id: None
        if answer.problem is Problem.NOT_ASKED
        else answer.value is not None and answer.value["code"] == secret_code(item)
        for item, answer in zip(items, answers, strict=True)
    }


def guard_prompt(item: Item, prompts: Prompts) -> Prompt:
    """A prompt that shows the item's text and asks for the code."""
    system, user = prompts.render("guard", code=secret_code(item), text=item.text)
    return Prompt(system, user, SCHEMA, roots=item.roots)


def secret_code(item: Item) -> str:
    """Six hex digits that the text cannot know."""
    return blake2b(item.id.encode(), digest_size=3).hexdigest().upper()
