"""Values as JSON can hold them: the one writer of the command line and of the page's API."""

import json
import math
import re
from collections.abc import Mapping
from datetime import date
from numbers import Integral, Real
from typing import Any

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def json_value(value: Any) -> Any:
    """The value in JSON's own types. A number that JSON cannot hold (NaN, infinity) is null, as is
    every figure that could not be measured."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Mapping):
        return {_key(key): json_value(below) for key, below in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(below) for below in value]
    if hasattr(value, "tolist"):  # an array, or a number or truth value of numpy
        return json_value(value.tolist())
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else str(value)


def _key(key: Any) -> Any:
    return key if isinstance(key, str | int | None) else str(key)


def to_json(value: Any, *, ascii_only: bool = False, indent: int | None = None) -> str:
    """The value as one JSON document. Half a surrogate pair, as in names of files that are not in
    UTF-8, is escaped, since no encoding can write it."""
    text = json.dumps(json_value(value), ensure_ascii=ascii_only, indent=indent, allow_nan=False)
    return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
