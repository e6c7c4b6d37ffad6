"""The settings, section by section, and what other parts of biasloop take from them."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from biasloop.domain.measure.probation import ProbationTerms
from biasloop.domain.measure.stopping import CriterionName, StoppingRule
from biasloop.domain.round import OpeningRules
from biasloop.domain.votes.consensus import ConsensusMethod
from biasloop.domain.votes.vote import VotePlan
from biasloop.errors import ConfigError
from biasloop.workspace.address import Address
from biasloop.workspace.section import Section
from biasloop.workspace.server_settings import (
    GatewaySettings,
    LabelStudioSettings,
    WebSettings,
)


class LoopSettings(Section):
    """When a round opens, what it contains, when the campaign ends."""

    batch_size: int = Field(50, ge=1, description="Items that a round sends to annotators.")
    low_water: int = Field(
        5,
        ge=0,
        description="The next round is made when only that many tasks per annotator are open, or "
        "as many as they label while it is made (at most half of the batch). 0: when none is open.",
    )
    min_new_items: int = Field(
        1, ge=1, description="Unlabelled items that the pool must have before a round opens."
    )
    interval_minutes: float = Field(
        0, ge=0, description="Minimum time between the openings of two rounds."
    )
    budget: int = Field(1000, ge=1, description="Items to ask about in all; then the loop stops.")
    deadline_hours: float = Field(
        72, gt=0, description="Time without a new label after which status says that nobody labels."
    )
    audit_block: int = Field(
        200, ge=0, description="Audit items in the first batches of a campaign, in all."
    )
    audit_share: float = Field(
        0.1, ge=0, le=1, description="Share of audit items in later batches."
    )
    audit_chances: Literal["model", "uniform"] = Field(
        "model",
        description="model: audit items from which figures gain most have larger chances, by what "
        "the model says, and figures are weighted; uniform: all have the same chance.",
    )
    random_share: float = Field(
        0.1, ge=0, le=1, description="Share of items chosen at random from train roots."
    )
    gold_share: float = Field(
        0,
        ge=0,
        le=0.5,
        description="Share of items with a known answer, to measure how reliable annotators are.",
    )
    max_per_ad: int = Field(3, ge=1, description="Maximum sentences of one ad in a batch.")
    promote: Literal["auto", "manual"] = Field(
        "auto",
        description="auto: a new model goes into service unless it is worse; manual: by command.",
    )


class StoppingSettings(Section):
    """When more labels are not worth their cost."""

    mode: Literal["advise", "rule", "off"] = Field(
        "advise", description="advise: status says so; rule: no more rounds open; off: neither."
    )
    needs: tuple[CriterionName, ...] = Field(
        ("gain", "kappa"),
        min_length=1,
        description="Criteria that must all be met: gain, kappa, delta_f, change, uncertainty.",
    )
    rounds: int = Field(3, ge=1, description="Criterion gain: number of last rounds compared.")
    gain: float = Field(
        0.02, gt=0, description="Criterion gain: met if macro-F1 surely rose by less than this."
    )


class IntakeSettings(Section):
    """How files are imported."""

    markup: Literal["clean", "refuse", "keep"] = Field(
        "clean",
        description="HTML in ads: clean takes it away, refuse rejects the row, keep leaves it.",
    )


class StrategySettings(Section):
    """Which items annotators are asked about."""

    name: str = Field("auto", description="Strategy that chooses the items.")
    options: dict[str, Any] = Field({}, description="Its options.")


class ClassifierSettings(Section):
    """Which classifier learns from the labels."""

    name: str = Field("tfidf", description="Name of the classifier.")
    options: dict[str, Any] = Field({}, description="Its options.")
    constructed_weight: float = Field(
        0.5, ge=0, description="Weight of a counterfactual version; a human label has 1."
    )
    cascade: int = Field(
        20_000,
        ge=1000,
        description="Most items that a slow classifier scores; a linear one chooses them.",
    )


class ExpanderSettings(Section):
    """Which expanders run in each round."""

    names: tuple[str, ...] = Field(("counterfactual",), description="Expanders, in order.")
    options: dict[str, dict[str, Any]] = Field({}, description="Options, by expander.")


class LlmSettings(Section):
    """The language model that writes and judges texts; its key is the secret LLM_API_KEY."""

    base_url: Address = Field(
        "", description="An OpenAI-compatible server, as http://127.0.0.1:8000/v1."
    )
    model: str = Field("", description="The model's name on that server.")
    concurrency: int = Field(8, ge=1, le=256, description="Number of simultaneous requests.")
    timeout_seconds: float = Field(60, gt=0, description="Maximum time for one complete answer.")
    patience_seconds: float = Field(
        120, gt=0, description="How long a request is repeated on 429, 5xx and time-outs."
    )
    answer_tokens: int = Field(
        1000, ge=16, description="Maximum number of tokens of one answer, including reasoning."
    )
    judge_samples: int = Field(1, ge=1, le=25, description="Number of judgements per text.")
    prelabel: bool = Field(
        False,
        description="Whether annotators see the model's labels as a first answer. This saves "
        "clicks but biases annotators towards the model, on audit items as well.",
    )
    price_in: float = Field(0, ge=0, description="Price of a million input tokens, any currency.")
    price_out: float = Field(0, ge=0, description="Price of a million output tokens.")
    round_budget: float = Field(1, ge=0, description="Maximum cost of one round, in that currency.")
    budget: float = Field(20, ge=0, description="Maximum cost of all requests together.")

    def require(self) -> None:
        """Raises ConfigError when no server or no model is set."""
        if not (self.base_url and self.model):
            raise ConfigError(
                "no language model is set: put its key as LLM_API_KEY into the file `secrets`, and "
                "run `biasloop llm use URL MODEL`, which sets llm.base_url and llm.model"
            )


class ProbationSettings(Section):
    """When classifiers learn from texts that a language model wrote."""

    every: int = Field(
        3, ge=1, description="Number of rounds from one review of these texts to the next."
    )
    weight: float = Field(
        0.5, gt=0, description="Weight of a text that a review kept; a human label has 1."
    )
    unproven_weight: float = Field(
        0, ge=0, description="Weight of a text that was not reviewed yet."
    )


class VotesSettings(Section):
    """How many annotators judge an item."""

    per_item: int = Field(
        1, ge=1, description="Votes on every item; a round waits until its items have that many."
    )
    audit: int = Field(
        2, ge=1, description="Votes on an audit item; no round waits for those beyond per_item."
    )
    tie_break: int = Field(
        1, ge=0, description="Additional votes on an audit item whose annotators disagree."
    )
    consensus: ConsensusMethod = Field(
        ConsensusMethod.MAJORITY,
        description="How votes are resolved: majority, or dawid_skene (weighs by reliability).",
    )
    soft: bool = Field(
        False, description="Whether a model learns from differing votes, not their consensus."
    )


class SchedulerSettings(Section):
    """How often the loop runs, polls and retries."""

    tick_seconds: float = Field(1, gt=0, description="Time between two ticks.")
    poll_seconds: float = Field(
        5, gt=0, le=600, description="Time between two polls of Label Studio."
    )
    reconcile_hours: float = Field(
        24, gt=0, description="Time between two full comparisons with Label Studio."
    )
    lease_seconds: float = Field(
        15, gt=0, le=600, description="A step is taken over if its process is silent that long."
    )
    retry_base_seconds: float = Field(
        2, gt=0, le=600, description="Wait after a first failure; it doubles with each further one."
    )
    retry_cap_seconds: float = Field(300, gt=0, le=600, description="Maximum wait after a failure.")


class Settings(BaseSettings):
    """All settings of a workspace."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="BIASLOOP_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    seed: int = Field(0, ge=0, description="Seed of the split and of every random choice.")
    ledger_url: str = Field(
        "", description="SQLAlchemy URL of the ledger; empty: SQLite in the workspace."
    )
    loop: LoopSettings = LoopSettings()
    intake: IntakeSettings = IntakeSettings()
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
    gateway: GatewaySettings = GatewaySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrides the file, whose content is passed as init arguments."""
        return env_settings, init_settings

    @property
    def has_gateway(self) -> bool:
        """Whether annotators reach Label Studio through the gateway."""
        return not self.labelstudio.url or self.gateway.with_serve

    @property
    def vote_plan(self) -> VotePlan:
        """The number of votes that items get."""
        return VotePlan(self.votes.per_item, self.votes.audit, self.votes.tie_break)

    @property
    def opening(self) -> OpeningRules:
        """The rules by which rounds open."""
        return OpeningRules(
            batch_size=self.loop.batch_size,
            min_new_items=self.loop.min_new_items,
            interval=timedelta(minutes=self.loop.interval_minutes),
            budget=self.loop.budget,
        )

    @property
    def probation_terms(self) -> ProbationTerms:
        """The terms on which classifiers learn from texts that a language model wrote."""
        section = self.probation
        return ProbationTerms(section.every, section.weight, section.unproven_weight)

    @property
    def stopping_advice(self) -> StoppingRule | None:
        """The rule by which biasloop advises to stop; None when it gives no advice."""
        section = self.stopping
        off = section.mode == "off"
        return None if off else StoppingRule(section.needs, section.rounds, section.gain)
