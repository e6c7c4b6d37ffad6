"""Sets the language model of a workspace, once it has answered."""

from contextlib import closing
from dataclasses import dataclass

from pydantic import ValidationError

from biasloop.errors import ConfigError, describe_problems
from biasloop.service.service import Service
from biasloop.workspace.language_model import open_model
from biasloop.workspace.settings import LlmSettings
from biasloop.workspace.settings_change import change_settings

EXPANDER = "llm"
TRIAL_PATIENCE = 5.0
"""Seconds for which the trial request is repeated: somebody waits for it."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """The model in use: its server, its name there, whether it keeps to a JSON schema, and the
    expanders that run from now on."""

    base_url: str
    model: str
    schema: bool
    expanders: tuple[str, ...]


def use(service: Service, base_url: str, model: str) -> LanguageModel:
    """Asks the model one question; if it answers, writes server and model into biasloop.toml and
    turns on the expander that asks it for texts.

    Raises LlmError when it does not answer and ConfigError for an address that cannot be used;
    nothing is written then.
    """
    settings = service.settings
    values = settings.llm.model_dump() | {"base_url": base_url, "model": model}
    try:
        chosen = LlmSettings(**values)
    except ValidationError as error:
        raise ConfigError(describe_problems(error.errors())) from None
    trial = chosen.model_copy(update={"patience_seconds": TRIAL_PATIENCE})
    with closing(open_model(service.layout, trial, "llm use")) as client:
        ability = client.probe()
    names = settings.expander.names
    expanders = names if EXPANDER in names else (*names, EXPANDER)
    change_settings(
        service.layout.folder,
        {
            "llm": {"base_url": base_url, "model": model},
            "expander": {"names": list(expanders)},
        },
    )
    return LanguageModel(base_url, model, ability.schema, expanders)
