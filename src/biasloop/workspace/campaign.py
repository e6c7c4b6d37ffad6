"""A campaign: a folder with the labels, the guideline, the labelling page and the language."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from biasloop.domain.label import Scheme
from biasloop.domain.policy import Policy
from biasloop.domain.writing.synthesis import CampaignBrief
from biasloop.errors import CampaignError, describe_problems
from biasloop.labelstudio.label_config import LabelConfig, choice_hints, parse_label_config

GUIDELINE = "guidelines.md"


class CampaignFile(BaseModel):
    """The content of campaign.toml. `labels` holds a one-line description of each choice, `renamed`
    the present name of each former one (`biasloop labels rename` keeps it)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str = Field(min_length=3, max_length=50)
    """Label Studio's limits for the name of a project."""
    language: str
    unit: Literal["sentence", "text"]
    none_label: str | None = None
    labels: dict[str, str] = {}
    renamed: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_ad_verdict(cls, values: Any) -> Any:
        """Accepts `ad_verdict = "any"` in older campaign folders. It was the only possible value
        (a text is flagged if one of its sentences is), so the setting was dropped."""
        if isinstance(values, dict) and values.get("ad_verdict") == "any":
            return {name: value for name, value in values.items() if name != "ad_verdict"}
        return values


@dataclass(frozen=True, slots=True)
class Campaign:
    """The content of a campaign folder. `label_config` is the XML as it is in the file; `hints` are
    the explanations that annotators see next to each choice, by label."""

    folder: Path
    about: CampaignFile
    label_config: str
    controls: LabelConfig
    hints: Mapping[str, str]

    @property
    def policy(self) -> Policy:
        """The guideline, read at each call: `policy adopt` may change it meanwhile.

        Raises CampaignError when it cannot be read.
        """
        return Policy(_read(self.folder / GUIDELINE), self.hints)

    @property
    def scheme(self) -> Scheme:
        """The labels."""
        return self.controls.scheme

    @property
    def seed_files(self) -> list[Path]:
        """The files of labelled seed sentences: all but ads.jsonl, which has no labels."""
        return sorted(p for p in (self.folder / "seeds").glob("*.jsonl") if p.name != "ads.jsonl")

    @property
    def language_data(self) -> Path | None:
        """The folder with words, inflections and clauses of the campaign's language, for rewriter
        and classifier; None if the campaign has none."""
        path = self.folder / "counterfactual"
        return path if path.is_dir() else None

    @property
    def ad_file(self) -> Path | None:
        """The file of unlabelled example ads; None if the campaign has none."""
        path = self.folder / "seeds" / "ads.jsonl"
        return path if path.exists() else None


def read_campaign(folder: Path) -> Campaign:
    """Reads and checks a campaign folder. Raises CampaignError with file and problem."""
    try:
        about = CampaignFile(**tomllib.loads(_read(folder / "campaign.toml")))
    except tomllib.TOMLDecodeError as error:
        raise CampaignError(f"{folder / 'campaign.toml'} is not valid TOML: {error}") from None
    except ValidationError as error:
        problems = describe_problems(error.errors(), CampaignFile.model_fields)
        raise CampaignError(f"{folder / 'campaign.toml'}: {problems}") from None
    xml = _read(folder / "label_config.xml")
    controls = parse_label_config(xml, about.none_label)
    mismatched = set(about.labels) ^ set(controls.scheme.choices)
    if about.labels and mismatched:
        raise CampaignError(
            f"{folder}: these labels are in only one of campaign.toml and label_config.xml: "
            f"{', '.join(sorted(mismatched))}"
        )
    if reused := set(about.renamed) & set(controls.scheme.choices):
        raise CampaignError(
            f"{folder / 'campaign.toml'}: [renamed] has former names that are labels again: "
            f"{', '.join(sorted(reused))}; what was made under them belongs to the labels that "
            "they became, so give these labels new names"
        )
    controls = replace(controls, scheme=replace(controls.scheme, renamed=about.renamed))
    hints = {
        label: f"{about.labels.get(label, '')} {hint}".strip()
        for label, hint in choice_hints(xml).items()
    }
    _read(folder / GUIDELINE)  # so that an unreadable guideline is reported now
    return Campaign(folder, about, xml, controls, {k: v for k, v in hints.items() if v})


def check_campaign(campaign: Campaign) -> None:
    """Raises CampaignError if the campaign must not start: Label Studio would refuse it, or
    annotators cannot say that no label fits. One that runs already can still be read."""
    from biasloop.labelstudio.validation import validate_label_config

    validate_label_config(campaign.label_config)
    if campaign.scheme.blank_means_none:
        raise CampaignError(
            f"{campaign.folder}: annotators may choose several labels but cannot say that none "
            'fits; add a <Choice value="none"/> to label_config.xml (any name will do) and '
            'none_label = "none" to campaign.toml'
        )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise CampaignError(f"{path} is missing; a campaign folder needs it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path} cannot be read: {error}") from None


def shipped(name: str) -> tuple[Path, Path]:
    """The folders (configuration, seeds) of a campaign that ships with biasloop; `name` may also be
    the path of a campaign folder.

    Raises CampaignError, which lists the shipped campaigns, when there is neither.
    """
    folder = Path(name)
    if (folder / "campaign.toml").exists():
        return folder, folder / "seeds"
    for base in _base_folders():
        if (base / "annotation_config" / name / "campaign.toml").exists():
            return base / "annotation_config" / name, base / "seeds" / name
    raise CampaignError(
        f"no campaign {name!r}; known: {', '.join(shipped_names())}, or give a folder that holds "
        "campaign.toml, label_config.xml and guidelines.md"
    )


def shipped_names() -> list[str]:
    """The names of the campaigns that ship with biasloop."""
    pattern = "annotation_config/*/campaign.toml"
    return sorted({file.parent.name for base in _base_folders() for file in base.glob(pattern)})


def _base_folders() -> list[Path]:
    """Folders that may hold the shipped campaigns."""
    package = Path(str(files("biasloop")))
    return [package / "campaigns", package.parents[1]]  # installed wheel, source tree


def guide_of(campaign: Campaign, policy: Policy) -> CampaignBrief:
    """What the prompts of a language model say about the campaign. `policy` is the version that
    they go by; the file in the campaign folder may be ahead of the version in force."""
    return CampaignBrief(campaign.scheme, campaign.about.labels, policy)
