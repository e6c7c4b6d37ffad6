"""Binds the steps of a round to a workspace: passes each what it takes from ledger and settings."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from biasloop.domain.batch import Arm
from biasloop.domain.item import Item
from biasloop.domain.low_water import PREPARATION
from biasloop.domain.round import (
    STEPS,
    Done,
    Outcome,
    Round,
    Situation,
    State,
    is_last_batch,
)
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Price
from biasloop.domain.writing.synthesis import TextRequest
from biasloop.llm.estimate import Estimate, estimate
from biasloop.llm.prompting import read_prompts
from biasloop.ports import Expander, LabelStudio, PromptExpander, Strategy, needs_language_model
from biasloop.rounds.child import Heartbeat, no_heartbeat
from biasloop.rounds.design import read_design
from biasloop.rounds.lookups import Lookups
from biasloop.rounds.loop import Step
from biasloop.rounds.prelabel import prelabels
from biasloop.rounds.scorer import scoring_model
from biasloop.rounds.steps.aggregate import aggregate
from biasloop.rounds.steps.close import close
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.step import evaluate
from biasloop.rounds.steps.expand.step import expand
from biasloop.rounds.steps.pull import pull
from biasloop.rounds.steps.push import push
from biasloop.rounds.steps.score.step import score
from biasloop.rounds.steps.select import select
from biasloop.rounds.steps.train.data import random_items
from biasloop.rounds.steps.train.step import train
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool
from biasloop.workspace.campaign import Campaign, guide_of
from biasloop.workspace.layout import Layout
from biasloop.workspace.settings import Settings


@dataclass(frozen=True)
class Steps:
    """Every step of a round, bound to one workspace."""

    layout: Layout
    settings: Settings
    campaign: Campaign
    ledger: Ledger
    pool: ArrowPool
    expanders: Mapping[str, Expander | PromptExpander]
    expander_options: Mapping[str, Mapping[str, Any]]
    strategy: Strategy
    label_studio: Callable[[], LabelStudio]
    situation: Callable[[datetime], Situation]
    ensure_project: Callable[[], int]

    @cached_property
    def lookups(self) -> Lookups:
        """Reads the arguments of the steps from ledger, pool and settings."""
        return Lookups(
            self.layout, self.settings, self.campaign, self.ledger, self.pool, self.strategy
        )

    def table(self) -> dict[str, Step]:
        """The steps by name, as the loop takes them."""
        return {name: getattr(self, name) for name, _ in STEPS.values()}

    def expand(self, round_: Round | None, heartbeat: Heartbeat, *, offline: bool = False) -> Done:
        """Runs the expanders of the settings over the labelled train items; with `offline` only
        those that need no language model."""
        now = datetime.now(UTC)
        names = [
            name
            for name, expander in self.expanders.items()
            if not (offline and needs_language_model(expander))
        ]
        return expand(
            corpus=self.lookups.corpus(),
            expanders={name: self.expander_options[name] for name in names},
            llm=self.settings.llm.model_dump(),
            purse=f"round {round_.id}" if round_ else f"by hand on {now:%Y-%m-%d}",
            workspace=self.layout.folder,
            pool=self.pool,
            scheme=self.campaign.scheme,
            policy=self.lookups.policy,
            seed=self.settings.seed,
            now=now,
            work_folder=self.layout.job(round_.id if round_ else None, "expand"),
            heartbeat=heartbeat,
        )

    def plan(self) -> dict[str, tuple[list[TextRequest], Estimate]]:
        """By expander that needs a language model: the requests that it would make now, and an
        estimate of their cost."""
        guide, corpus = guide_of(self.campaign, self.lookups.policy), self.lookups.corpus()
        llm = self.settings.llm
        requests = {
            name: expander.plan(corpus, guide, self.settings.seed)
            for name, expander in self.expanders.items()
            if needs_language_model(expander)
        }
        return {
            name: (
                planned,
                estimate(
                    planned,
                    prompts=read_prompts(self.campaign.folder),
                    guide=guide,
                    samples=llm.judge_samples,
                    price=Price(llm.price_in, llm.price_out),
                    answer_tokens=llm.answer_tokens,
                ),
            )
            for name, planned in requests.items()
        }

    def score(self, round_: Round, heartbeat: Heartbeat) -> Done:
        """Scores the pool with the newest model that promotion has not refused."""
        model = scoring_model(self.ledger)
        return score(
            pool=self.pool,
            pool_folder=self.layout.pool,
            model=model,
            model_folder=self.layout.folder / model.folder if model else None,
            features_folder=self.layout.features,
            scores_folder=self.layout.scores,
            needs=self.lookups.score_needs,
            multi=self.campaign.scheme.multi,
            cascade=self.settings.classifier.cascade,
            candidate_rows=self.lookups.candidate_rows,
            seed=self.settings.seed,
            work_folder=self.layout.job(round_.id, "score"),
            heartbeat=heartbeat,
        )

    def select(self, round_: Round, _heartbeat: Heartbeat) -> Done:
        """Composes the batch from the stored scores."""
        selected, designs = self.ledger.live_selections(), self.lookups.designs()
        return select(
            round_id=round_.id,
            pool=self.pool,
            pool_rows=round_.facts["pool_rows"],
            answered=self.ledger.answered_items(),
            selected=selected,
            quota=self.lookups.quota(selected, designs[Arm.AUDIT]),
            strategy=self.strategy,
            read_scores=self.lookups.scores(round_.facts["scored_with"], round_.facts["pool_rows"]),
            max_per_ad=self.settings.loop.max_per_ad,
            seed=self.settings.seed,
            designs=designs,
            audit_sizes=self.lookups.audit_sizes(round_.facts["scored_with"]),
        )

    def push(self, round_: Round, heartbeat: Heartbeat) -> Done:
        """Sends the batch to Label Studio."""
        self.ensure_project()

        def prelabel(items: Sequence[Item]) -> dict[str, Judgement]:
            guide = guide_of(self.campaign, self.lookups.policy)
            llm, purse = self.settings.llm, f"round {round_.id}"
            return prelabels(items, guide, self.layout, llm, purse, heartbeat)

        done = push(
            round_id=round_.id,
            pool=self.pool,
            selections=self.lookups.batch(round_),
            label_studio=self.label_studio(),
            newest=self.ledger.newest_task(round_.opened_at),
            prelabel=prelabel if self.settings.llm.prelabel else None,
        )
        minutes = (datetime.now(UTC) - round_.opened_at) / timedelta(minutes=1)
        return replace(done, facts={**done.facts, PREPARATION: round(max(0, minutes), 3)})

    def pull(self, round_: Round, _heartbeat: Heartbeat) -> Outcome:
        """Tests whether enough of the batch is labelled."""
        loop, now = self.settings.loop, datetime.now(UTC)
        events = self.ledger.control.events_of(round_.id)
        situation, batch = self.situation(now), self.ledger.selections(round_.id)
        return pull(
            tasks=self.ledger.batches.items_with_task(round_.id),
            annotations=self.ledger.batches.annotations(round_.id),
            low_water=loop.low_water,
            rounds=situation.rounds,
            is_last=is_last_batch(self.settings.opening, situation, len(batch)),
            per_item=self.settings.votes.per_item,
            pushed_at=events.get(State.PUSHED, round_.opened_at),
            deadline=timedelta(hours=loop.deadline_hours),
            now=now,
            poll_interval=timedelta(seconds=self.settings.scheduler.poll_seconds),
        )

    def aggregate(self, round_: Round, _heartbeat: Heartbeat) -> Done:
        """Resolves votes to consensus, as of the current ledger sequence number."""
        sequence = self.ledger.sequence()
        return aggregate(
            annotations=self.ledger.annotations(sequence),
            known=self.ledger.consensus(),
            scheme=self.campaign.scheme,
            method=self.settings.votes.consensus,
            sequence=sequence,
        )

    def train(self, round_: Round, heartbeat: Heartbeat) -> Done:
        """Trains a model on the annotations as of the aggregation, after a review of texts that
        language models wrote if one is due."""
        return self.train_at(
            round_.facts["sequence"],
            f"r{round_.id:04d}",
            self.layout.job(round_.id, "train"),
            heartbeat,
            round_id=round_.id,
        )

    def train_at(
        self,
        sequence: int,
        model_id: str,
        job: Path,
        heartbeat: Heartbeat = no_heartbeat,
        *,
        round_id: int | None = None,
    ) -> Done:
        """Trains a model on the labels as of a ledger sequence number; reviews only in a round."""
        annotations, reviews = self.ledger.annotations(sequence), self.ledger.reviews()
        reviewed_in, review = reviews[-1] if reviews else (None, None)
        terms = self.settings.probation_terms
        return train(
            model_id=model_id,
            pool=self.pool,
            pool_folder=self.layout.pool,
            features_folder=self.layout.features,
            annotations=annotations,
            random=random_items(self._drawn_for_training(), annotations),
            sequence=sequence,
            review=review,
            review_due=round_id is not None and terms.due(round_id, reviewed_in),
            scheme=self.campaign.scheme,
            recipe=self.lookups.recipe,
            work_folder=job,
            models_folder=self.layout.models,
            heartbeat=heartbeat,
        )

    def _drawn_for_training(self) -> Set[str]:
        """The ids of the items that a draw of random_train took."""
        drawn = read_design(self.ledger, self.pool, Arm.RANDOM_TRAIN).drawn
        return set(self.pool.column("id", len(drawn))[drawn].tolist())

    def evaluate(self, round_: Round, heartbeat: Heartbeat) -> Done:
        """Reports on the round's model and the one in service on audit items, and decides on
        promotion and stopping."""
        model = round_.facts.get("model")
        return evaluate(
            model=self.ledger.models.get(model) if model else None,
            trained_on=self.ledger.models.trained_on(model) if model else (),
            in_service=self.ledger.models.in_service(),
            earlier=[earlier.id for earlier in self.lookups.models_before(round_)],
            annotations=self.ledger.annotations(),
            selections=self.ledger.live_selections(),
            probability=read_design(self.ledger, self.pool, Arm.AUDIT).sampled_probability,
            promote=self.settings.loop.promote == "auto",
            stopping=self.settings.stopping_advice,
            context=EvaluationContext(
                pool=self.pool,
                scheme=self.campaign.scheme,
                consensus=self.settings.votes.consensus,
                seed=self.settings.seed,
                workspace=self.layout.folder,
                models=self.layout.models,
                work_folder=self.layout.job(round_.id, "evaluate"),
                pool_folder=self.layout.pool,
                features_folder=self.layout.features,
                heartbeat=heartbeat,
            ),
        )

    def close(self, round_: Round, _heartbeat: Heartbeat) -> Done:
        """Deletes the round's working folders."""
        heavy = ("expand", "score", "train", "evaluate")
        return close(job_folders=[self.layout.job(round_.id, step) for step in heavy])
