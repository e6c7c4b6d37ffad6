"""Extracts a value that matches a schema from a model's raw answer. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

MAX_TRIES = 20
"""How many opening braces are tried as the start of the object."""
MAX_DEPTH = 50
"""An object that is nested deeper is no answer; checking it could exhaust the stack."""
MAX_QUOTED = 2_000
"""Characters of an invalid answer that are quoted when the model is asked again."""


def read_answer(raw: str, schema: Mapping[str, Any]) -> Mapping[str, Any] | str:
    """The first JSON object in `raw` that is valid under `schema`, or else a message that says what
    is wrong.

    Models without structured output put words, code fences or thoughts around the object.
    """
    validator = Draft202012Validator(schema)
    message = "no JSON object in it"
    for candidate in _objects(raw):
        errors = [error.message for error in validator.iter_errors(candidate)]
        if not errors:
            return candidate
        message = "; ".join(errors)[:500]
    return message


def _objects(raw: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    start = raw.find("{")
    for _ in range(MAX_TRIES):
        if start < 0:
            return
        try:
            value, end = decoder.raw_decode(raw, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if not is_deeper(value, MAX_DEPTH):
                yield value
        start = raw.find("{", end)


def is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects are nested in a JSON value more than `depth` levels deep."""
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(value, dict | list) for value in level)


def repair_messages(raw: str, message: str, schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """The messages that ask again after an invalid answer; `message` says what was wrong."""
    request = (
        f"That answer cannot be used: {message}. Answer again with one JSON object by this JSON "
        f"Schema and nothing else: {json.dumps(schema, ensure_ascii=False)}"
    )
    return [
        {"role": "assistant", "content": raw[:MAX_QUOTED]},
        {"role": "user", "content": request},
    ]
