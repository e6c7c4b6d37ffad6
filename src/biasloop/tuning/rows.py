"""Pairs as rows for a trainer, checked as their model will read them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from biasloop.domain.pair import Pair
from biasloop.errors import ConfigError
from biasloop.tuning.handover import Method

Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Length:
    """The lengths of a pair in tokens: of its `prompt`, and of that with the longest answer."""

    id: str
    prompt: int
    whole: int


def to_row(cells: Mapping[str, Any], method: Method) -> dict[str, Messages]:
    """A row in the conversational format of trl, from the fields of a pair as `cells`."""
    prompt = to_messages(cells)
    if method is Method.SFT:
        return {"prompt": prompt, "completion": _to_answer(cells["chosen"])}
    return {
        "prompt": prompt,
        "chosen": _to_answer(cells["chosen"]),
        "rejected": _to_answer(cells["rejected"]),
    }


def to_messages(cells: Mapping[str, Any]) -> Messages:
    """The messages of the prompt of a pair, from its fields as `cells`."""
    system = [{"role": "system", "content": cells["system"]}] if cells["system"] else []
    return [*system, {"role": "user", "content": cells["prompt"]}]


def measure_lengths(pairs: Sequence[Pair], tokenizer: Any, method: Method) -> list[Length]:
    """The lengths of all pairs, as the chat template writes them.

    Raises ConfigError if the chat template cannot be trained on: where the prompt is not the
    beginning of prompt and answer, or where an answer does not close with the end token, a model
    would learn something other than what it is asked to do later.
    """
    lengths = []
    for pair in pairs:
        row = to_row(asdict(pair), method)
        prompt = _tokenize(tokenizer, row["prompt"], add_generation_prompt=True)
        answers = [row[key] for key in ("completion", "chosen", "rejected") if key in row]
        whole = [_tokenize(tokenizer, row["prompt"] + answer) for answer in answers]
        for ids in whole:
            _check_answer(ids, prompt, tokenizer)
        lengths.append(Length(pair.id, len(prompt), max(map(len, whole))))
    return lengths


def _check_answer(ids: Sequence[int], prompt: Sequence[int], tokenizer: Any) -> None:
    if list(ids[: len(prompt)]) != list(prompt) or len(ids) <= len(prompt):
        raise ConfigError(
            "with the chat template of this model a prompt is not the beginning of prompt and "
            "answer; correct the template, or take another model"
        )
    if tokenizer.eos_token_id not in ids[len(prompt) :]:
        raise ConfigError(
            "the chat template of this model does not close an answer with the end token "
            f"{tokenizer.eos_token}; correct the template, or take another model"
        )


def _tokenize(tokenizer: Any, messages: Messages, **options: Any) -> list[int]:
    ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **options)
    return list(ids)


def _to_answer(text: str) -> Messages:
    return [{"role": "assistant", "content": text}]
