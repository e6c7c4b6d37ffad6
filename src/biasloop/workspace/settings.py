"""What can be set, section by section, and what the parts of biasloop are given of it."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from biasloop.domain.measure.probation import ProbationTerms
from biasloop.domain.measure.stopping import CriterionName, StoppingRule
from biasloop.domain.round import OpeningRules
from biasloop.domain.votes.consensus import ConsensusMethod
from biasloop.domain.votes.vote import VotePlan
from biasloop.errors import ConfigError


class Section(BaseModel):
    """One [section] of biasloop.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LoopSettings(Section):
    """What opens a round, what is in it, what ends the campaign."""

    batch_size: int = Field(50, ge=1, description="Items a round sends to people.")
    low_water: int = Field(
        5,
        ge=0,
        description="Tasks left open per annotator, half of the batch at most, at which a round "
        "counts as annotated and the next one is made.",
    )
    min_new_items: int = Field(
        1, ge=1, description="Unlabelled items that the pool must hold before a round opens."
    )
    interval_minutes: float = Field(
        0, ge=0, description="Shortest time between the openings of two rounds."
    )
    budget: int = Field(1000, ge=1, description="Items people are asked about in all; then stop.")
    deadline_hours: float = Field(
        72, gt=0, description="After this long without a label, status says that nobody labels."
    )
    audit_block: int = Field(
        200, ge=0, description="Audit items a campaign begins with, spread over the first batches."
    )
    audit_share: float = Field(
        0.1, ge=0, le=1, description="Share of audit items in a batch after that."
    )
    random_share: float = Field(
        0.1, ge=0, le=1, description="Share of items drawn at random from train roots."
    )
    gold_share: float = Field(
        0,
        ge=0,
        le=0.5,
        description="Share of items whose answer is known, to see how people judge.",
    )
    max_per_ad: int = Field(3, ge=1, description="Most sentences of one ad in a batch.")
    promote: Literal["auto", "manual"] = Field(
        "auto",
        description="Whether the newest model goes into service by itself unless it is worse.",
    )


class StoppingSettings(Section):
    """When there is nothing more to gain from asking people."""

    mode: Literal["advise", "rule", "off"] = Field(
        "advise", description="advise: status says so; rule: no round opens any more; off: neither."
    )
    needs: tuple[CriterionName, ...] = Field(
        ("gain", "kappa"),
        min_length=1,
        description="Criteria that must all say so: gain, kappa, delta_f, change, uncertainty.",
    )
    rounds: int = Field(3, ge=1, description="Criterion gain: the last rounds it looks at.")
    gain: float = Field(
        0.02, gt=0, description="Criterion gain: they gained surely less macro-F1 than this."
    )


class StrategySettings(Section):
    """Which items people are asked about."""

    name: str = Field("auto", description="Strategy of the acquisition arm.")
    options: dict[str, Any] = Field({}, description="Its options.")


class ClassifierSettings(Section):
    """Which model learns from the labels."""

    name: str = Field("tfidf", description="Classifier.")
    options: dict[str, Any] = Field({}, description="Its options.")
    constructed_weight: float = Field(
        0.5, ge=0, description="Weight of a counterfactual version beside a human label's 1."
    )
    cascade: int = Field(
        20_000,
        ge=1000,
        description="Items that a slow classifier scores; a linear one chooses them.",
    )


class ExpanderSettings(Section):
    """Which expanders run in each round."""

    names: tuple[str, ...] = Field(("counterfactual",), description="Expanders, in order.")
    options: dict[str, dict[str, Any]] = Field({}, description="Options, by expander.")


class LlmSettings(Section):
    """The model that writes and judges; its key is the secret LLM_API_KEY."""

    base_url: str = Field("", description="Any OpenAI-compatible server, http://127.0.0.1:8000/v1.")
    model: str = Field("", description="The model's name on that server.")
    concurrency: int = Field(8, ge=1, le=256, description="Requests at a time.")
    timeout_seconds: float = Field(60, gt=0, description="Longest wait for one whole answer.")
    patience_seconds: float = Field(
        120, gt=0, description="How long a request is tried again on 429, 5xx and time-outs."
    )
    answer_tokens: int = Field(
        1000, ge=16, description="Most tokens of one answer, the model's thinking included."
    )
    judge_samples: int = Field(1, ge=1, le=25, description="Judgements that are asked per text.")
    prelabel: bool = Field(
        False,
        description="Whether annotators see the model's labels as a first answer. It saves clicks "
        "and pulls people towards the model, on audit items as well.",
    )
    price_in: float = Field(0, ge=0, description="Price of a million tokens in, any currency.")
    price_out: float = Field(0, ge=0, description="Price of a million tokens out.")
    round_budget: float = Field(1, ge=0, description="What one round may cost, in that currency.")
    budget: float = Field(20, ge=0, description="What all requests together may cost.")

    def require(self) -> None:
        """Raises ConfigError when they name no model."""
        if not (self.base_url and self.model):
            raise ConfigError(
                "no language model is set: give llm.base_url and llm.model in biasloop.toml, and "
                "its key as LLM_API_KEY in the file `secrets` or as BIASLOOP_LLM_API_KEY"
            )


class ProbationSettings(Section):
    """When texts that a language model wrote may teach."""

    every: int = Field(
        3, ge=1, description="Rounds from one review of all that it wrote to the next."
    )
    weight: float = Field(
        0.5, gt=0, description="Weight of a text that a review kept beside a human label's 1."
    )
    unproven_weight: float = Field(
        0, ge=0, description="Weight of a text that no review has judged yet."
    )


class VotesSettings(Section):
    """How many people judge an item."""

    per_item: int = Field(
        1, ge=1, description="Votes on every item; a round waits until its items have so many."
    )
    audit: int = Field(
        2, ge=1, description="Votes on an audit item; those beyond per_item hold no round up."
    )
    tie_break: int = Field(
        1, ge=0, description="Further votes on an audit item whose voters disagree."
    )
    consensus: ConsensusMethod = Field(
        ConsensusMethod.MAJORITY,
        description="What votes come to: majority, or dawid_skene (weighs them by reliability).",
    )
    soft: bool = Field(
        False, description="Whether a model learns from differing votes instead of their consensus."
    )


class LabelStudioSettings(Section):
    """Where people label."""

    url: str = Field("", description="A Label Studio server; empty: biasloop starts its own.")
    port: int = Field(8080, ge=1, le=65535, description="Port of the embedded server.")
    email: str = Field("admin@biasloop.local", description="Administrator of the embedded server.")
    venv: str = Field(
        "", description="Virtual environment of the embedded server; empty: beside biasloop's."
    )
    timeout_seconds: float = Field(60, gt=0, description="Longest wait for one answer.")


class SchedulerSettings(Section):
    """How often the loop looks."""

    tick_seconds: float = Field(1, gt=0, description="Time between two ticks.")
    poll_seconds: float = Field(
        5, gt=0, le=600, description="Time between two polls of Label Studio."
    )
    reconcile_hours: float = Field(
        24, gt=0, description="Time between two full comparisons with Label Studio."
    )
    lease_seconds: float = Field(
        15, gt=0, le=600, description="A step whose process is silent for so long is taken over."
    )
    retry_base_seconds: float = Field(
        2, gt=0, le=600, description="Wait after a first failure; doubles."
    )
    retry_cap_seconds: float = Field(300, gt=0, le=600, description="Longest wait after a failure.")


class WebSettings(Section):
    """The page."""

    host: str = Field("127.0.0.1", description="Address it listens on.")
    port: int = Field(8090, ge=1, le=65535, description="Port it listens on.")
    names: tuple[str, ...] = Field(
        (),
        description="Host names, beside localhost and this machine's, whose forms are taken: that "
        "of a proxy before the page.",
    )


class Settings(BaseSettings):
    """All settings of a workspace."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="BIASLOOP_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    seed: int = Field(0, ge=0, description="Seeds the split and every draw.")
    ledger_url: str = Field(
        "", description="SQLAlchemy URL of the ledger; empty: SQLite in the workspace."
    )
    loop: LoopSettings = LoopSettings()
    stopping: StoppingSettings = StoppingSettings()
    strategy: StrategySettings = StrategySettings()
    classifier: ClassifierSettings = ClassifierSettings()
    expander: ExpanderSettings = ExpanderSettings()
    llm: LlmSettings = LlmSettings()
    probation: ProbationSettings = ProbationSettings()
    votes: VotesSettings = VotesSettings()
    labelstudio: LabelStudioSettings = LabelStudioSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    web: WebSettings = WebSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content comes in as init arguments."""
        return env_settings, init_settings

    @property
    def vote_plan(self) -> VotePlan:
        """How many votes an item gets."""
        return VotePlan(self.votes.per_item, self.votes.audit, self.votes.tie_break)

    @property
    def opening(self) -> OpeningRules:
        """What the decision to open a round needs."""
        return OpeningRules(
            batch_size=self.loop.batch_size,
            min_new_items=self.loop.min_new_items,
            interval=timedelta(minutes=self.loop.interval_minutes),
            budget=self.loop.budget,
        )

    @property
    def probation_terms(self) -> ProbationTerms:
        """On which terms what a language model wrote may teach."""
        found = self.probation
        return ProbationTerms(found.every, found.weight, found.unproven_weight)

    @property
    def stopping_advice(self) -> StoppingRule | None:
        """What advice on stopping goes by; None when nobody wants any."""
        found = self.stopping
        return None if found.mode == "off" else StoppingRule(found.needs, found.rounds, found.gain)
