"""From what a model wrote to a value by the schema. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

TRIES = 20
"""Opening braces that are tried as the start of the object."""
QUOTED = 2_000
"""Characters of a bad answer that are shown to the model when it is asked again."""


def read_answer(raw: str, schema: Mapping[str, Any]) -> Mapping[str, Any] | str:
    """The first JSON object in `raw` that is valid by `schema`, or what is wrong with it all.

    Models without structured output put words, code fences or thoughts around it.
    """
    validator = Draft202012Validator(schema)
    wrong = "no JSON object in it"
    for found in _objects(raw):
        errors = [error.message for error in validator.iter_errors(found)]
        if not errors:
            return found
        wrong = "; ".join(errors)[:500]
    return wrong


def _objects(raw: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    at = raw.find("{")
    for _ in range(TRIES):
        if at < 0:
            return
        try:
            found, end = decoder.raw_decode(raw, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield found
        at = raw.find("{", end)


def repair(raw: str, wrong: str, schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """The messages that ask once more after an answer that was no good."""
    asked = (
        f"That answer cannot be used: {wrong}. Answer again with one JSON object by this JSON "
        f"Schema and nothing else: {json.dumps(schema, ensure_ascii=False)}"
    )
    return [{"role": "assistant", "content": raw[:QUOTED]}, {"role": "user", "content": asked}]
