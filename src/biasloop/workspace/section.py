"""What all sections of the settings have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One [section] of biasloop.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")
