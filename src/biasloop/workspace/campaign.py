"""A campaign: a folder that says what is labelled, how, and in which language."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from biasloop.domain.label import Scheme
from biasloop.domain.policy import Policy
from biasloop.domain.writing.synthesis import CampaignBrief
from biasloop.errors import CampaignError
from biasloop.labelstudio.label_config import LabelConfig, choice_hints, parse_label_config

GUIDELINE = "guidelines.md"


class CampaignFile(BaseModel):
    """campaign.toml. `labels` describes every choice in one line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    language: str
    unit: Literal["sentence", "text"]
    none_label: str | None = None
    labels: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_ad_verdict(cls, values: Any) -> Any:
        """Campaign folders made before it was dropped say `ad_verdict = "any"`, all that was ever
        possible: a text is flagged if one of its sentences is."""
        if isinstance(values, dict) and values.get("ad_verdict") == "any":
            return {name: value for name, value in values.items() if name != "ad_verdict"}
        return values


@dataclass(frozen=True, slots=True)
class Campaign:
    """What the campaign folder says. `label_config` is the XML, untouched; `hints` is what stands
    next to each choice."""

    folder: Path
    about: CampaignFile
    label_config: str
    controls: LabelConfig
    hints: Mapping[str, str]

    @property
    def policy(self) -> Policy:
        """The guideline as the folder has it now: `policy adopt` may write it while others run.

        Raises CampaignError when it cannot be read.
        """
        return Policy(_read(self.folder / GUIDELINE), self.hints)

    @property
    def scheme(self) -> Scheme:
        """The labels."""
        return self.controls.scheme

    @property
    def seed_files(self) -> list[Path]:
        """Labelled seed sentences; ads.jsonl next to them is unlabelled."""
        return sorted(p for p in (self.folder / "seeds").glob("*.jsonl") if p.name != "ads.jsonl")

    @property
    def language_data(self) -> Path | None:
        """Words, forms and clauses of the campaign's language, for rewriter and classifier."""
        path = self.folder / "counterfactual"
        return path if path.is_dir() else None

    @property
    def ad_file(self) -> Path | None:
        """Unlabelled example ads that come with the campaign."""
        path = self.folder / "seeds" / "ads.jsonl"
        return path if path.exists() else None


def read_campaign(folder: Path) -> Campaign:
    """Reads and checks a campaign folder. Raises CampaignError naming file and fault."""
    try:
        about = CampaignFile(**tomllib.loads(_read(folder / "campaign.toml")))
    except tomllib.TOMLDecodeError as error:
        raise CampaignError(f"{folder / 'campaign.toml'} is not valid TOML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise CampaignError(f"{folder / 'campaign.toml'}: {wrong}") from None
    xml = _read(folder / "label_config.xml")
    controls = parse_label_config(xml, about.none_label)
    unknown = set(about.labels) ^ set(controls.scheme.choices)
    if about.labels and unknown:
        raise CampaignError(
            f"{folder}: campaign.toml and label_config.xml differ in the labels "
            f"{', '.join(sorted(unknown))}"
        )
    said = {
        label: f"{about.labels.get(label, '')} {hint}".strip()
        for label, hint in choice_hints(xml).items()
    }
    _read(folder / GUIDELINE)
    return Campaign(folder, about, xml, controls, {k: v for k, v in said.items() if v})


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise CampaignError(f"{path} is missing; a campaign folder needs it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path} cannot be read: {error}") from None


def shipped(name: str) -> tuple[Path, Path]:
    """(configuration, seeds) folders of a campaign that ships with biasloop, or at a path.

    Raises CampaignError, listing the shipped ones.
    """
    given = Path(name)
    if (given / "campaign.toml").exists():
        return given, given / "seeds"
    for base in _homes():
        if (base / "annotation_config" / name / "campaign.toml").exists():
            return base / "annotation_config" / name, base / "seeds" / name
    raise CampaignError(
        f"no campaign {name!r}; known: {', '.join(shipped_names())}, or give a folder that holds "
        "campaign.toml, label_config.xml and guidelines.md"
    )


def shipped_names() -> list[str]:
    """The campaigns that ship with biasloop."""
    files_ = (file for base in _homes() for file in base.glob("annotation_config/*/campaign.toml"))
    return sorted({file.parent.name for file in files_})


def _homes() -> list[Path]:
    package = Path(str(files("biasloop")))
    return [package / "campaigns", package.parents[1]]  # installed wheel, source tree


def guide_of(campaign: Campaign) -> CampaignBrief:
    """What a model is told of a campaign."""
    return CampaignBrief(campaign.scheme, campaign.about.labels, campaign.policy)
