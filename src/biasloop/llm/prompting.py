"""Fills templates with a campaign's words to make prompts.

Texts from outside appear only in the user message, quoted as JSON between marks that contain a hash
of the text, so that they can neither close the quotation nor forge a mark.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from biasloop.errors import CampaignError

HERE = Path(__file__).parent / "prompts"
FILE = "prompts.toml"


class Cells(BaseModel):
    """The dimensions of cells: names mapped to descriptions; forms are grouped by label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sectors: dict[str, str] = {}
    registers: dict[str, str] = {}
    forms: dict[str, dict[str, str]] = {}


class Filters(BaseModel):
    """Which generated texts are rejected; see domain/writing/screening."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    meta_talk: tuple[str, ...] = ()

    @field_validator("meta_talk")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return patterns


class PromptsFile(BaseModel):
    """prompts.toml of a campaign. `say` has every key of the package's words or none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cells: Cells = Cells()
    filters: Filters = Filters()
    say: dict[str, str] = {}

    @field_validator("say")
    @classmethod
    def _whole(cls, say: dict[str, str]) -> dict[str, str]:
        if say and (mismatched := set(say) ^ set(_words())):
            raise ValueError(f"keys missing or unknown: {', '.join(sorted(mismatched))}")
        return say


class Prompts:
    """The prompts of a campaign. `version` is a hash of their templates and words."""

    def __init__(self, file: PromptsFile) -> None:
        self.cells = file.cells
        self.filters = file.filters
        # The words are a file that may come from elsewhere; they must not run code.
        self._environment = SandboxedEnvironment(
            loader=jinja2.FileSystemLoader(HERE),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        words = file.say or _words()
        self._say = {key: self._environment.from_string(text) for key, text in words.items()}
        parts = [path.read_text("utf-8") for path in sorted(HERE.glob("*.jinja"))]
        parts += [words[key] for key in sorted(words)]
        self.version = blake2b("\x1f".join(parts).encode(), digest_size=4).hexdigest()

    def render(self, template: str, **values: Any) -> tuple[str, str]:
        """The system message and the user message of a prompt. Raises CampaignError when a word
        cannot be filled in, or tries what a template may not do."""
        say = _Say(self._say, values)
        loaded = self._environment.get_template(f"{template}.jinja")
        context = loaded.new_context({**values, "say": say, "fenced": fenced})
        try:
            system, user = ("".join(loaded.blocks[name](context)) for name in ("system", "user"))
        except jinja2.TemplateError as error:
            raise CampaignError(
                f"the words in {FILE} do not fit the prompt {template!r}: {error}; correct them"
            ) from None
        return system.strip(), user.strip()


class _Say(Mapping[str, str]):
    """The words of a prompt, filled in with its values."""

    def __init__(self, words: Mapping[str, jinja2.Template], values: Mapping[str, Any]) -> None:
        self._words = words
        self._values = values

    def __getitem__(self, key: str) -> str:
        return self._words[key].render(self._values)

    def __iter__(self) -> Any:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)


def fenced(text: str) -> str:
    """A text from outside, quoted as data between marks."""
    mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"<<<{mark} {json.dumps(text, ensure_ascii=False)} {mark}>>>"


def read_prompts(campaign: Path) -> Prompts:
    """The prompts of the campaign in this folder; in English if it has no prompts.toml.

    Raises CampaignError that names the file and the error.
    """
    path = campaign / FILE
    if not path.exists():
        return Prompts(PromptsFile())
    try:
        return Prompts(PromptsFile(**tomllib.loads(path.read_text("utf-8"))))
    except ValidationError as error:
        errors = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise CampaignError(f"{path}: {errors}") from None
    except (OSError, ValueError, TypeError, jinja2.TemplateError) as error:
        raise CampaignError(f"{path} cannot be used: {error}") from None


@cache
def _words() -> Mapping[str, str]:
    words: dict[str, str] = tomllib.loads((HERE / "words.toml").read_text("utf-8"))["say"]
    return words
