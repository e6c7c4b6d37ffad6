"""Reads from ledger, pool and settings what the steps of a round take as arguments."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Arm, Quota, Rows, Selection, split_batch
from biasloop.domain.label import Labels
from biasloop.domain.learning import Scores, Similarity
from biasloop.domain.measure.design import Array, Design, audit_sizes
from biasloop.domain.measure.metric import flag_labels
from biasloop.domain.model import ModelVersion
from biasloop.domain.policy import Policy
from biasloop.domain.round import Round
from biasloop.domain.writing.deficit import label_errors
from biasloop.domain.writing.synthesis import WritingMaterial
from biasloop.plugins.registry import Kind, plugin
from biasloop.ports import Encoder, Strategy, has_encoder
from biasloop.rounds.design import read_design
from biasloop.rounds.scorer import scoring_model
from biasloop.rounds.steps.candidates import SPLIT_OF_ARM, busy_items, candidates, labelled_rows
from biasloop.rounds.steps.expand.step import build_corpus
from biasloop.rounds.steps.select import AuditSizes, ReadScores
from biasloop.rounds.steps.train.recipe import Recipe
from biasloop.store.features import FeatureStore
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool
from biasloop.store.scores import read_scores, read_thresholds, score_file
from biasloop.workspace.campaign import Campaign
from biasloop.workspace.layout import Layout
from biasloop.workspace.settings import Settings


@dataclass(frozen=True)
class Lookups:
    """Every method reads again at each call, so that it returns the current state."""

    layout: Layout
    settings: Settings
    campaign: Campaign
    ledger: Ledger
    pool: ArrowPool
    strategy: Strategy

    @property
    def policy(self) -> Policy:
        """The policy in force; that of the campaign folder before any is."""
        return self.ledger.policies.current() or self.campaign.policy

    def corpus(self) -> WritingMaterial:
        """The corpus that an expansion would start from now."""
        model = scoring_model(self.ledger)
        measured = model.card["out_of_fold"]["labels"] if model else None
        return build_corpus(
            self.pool,
            self.ledger.annotations(),
            self.campaign.scheme,
            self.settings.votes.consensus,
            label_errors(self.campaign.scheme.labels, measured),
            self.ledger.count_rejections(),
        )

    @property
    def recipe(self) -> Recipe:
        """How a model is trained, by the settings; a classifier that can use the campaign's
        language data gets their path among its options."""
        settings = self.settings.classifier
        options = dict(settings.options)
        model = plugin(Kind.CLASSIFIER, settings.name).options_model()
        data = self.campaign.language_data
        fields = model.model_fields if model else {}
        linear = {"language": str(data)} if data else {}
        if "language" in fields:
            options = linear | options
        if "passes" in self.strategy.needs and "committee" in fields:
            options.setdefault("committee", True)
        return Recipe(
            settings.name,
            options,
            linear,
            settings.constructed_weight,
            self.settings.probation_terms,
            self.settings.votes.consensus,
            self.settings.votes.soft,
            self.settings.seed,
        )

    def models_before(self, round_: Round) -> list[ModelVersion]:
        """The models of earlier rounds, oldest first."""
        models = self.ledger.models.all()
        return [
            model for _, made_in, model in models if made_in is not None and made_in < round_.id
        ]

    def batch(self, round_: Round) -> list[Selection]:
        """The items selected in a round, in the order of its batch."""
        return [selection for _, selection in self.ledger.selections(round_.id)]

    def designs(self) -> dict[Arm, Design]:
        """What the random draws so far come to, by arm."""
        return {arm: read_design(self.ledger, self.pool, arm) for arm in SPLIT_OF_ARM}

    def quota(self, selected: list[tuple[int, Selection]], audit: Design) -> Quota:
        """How many items of each arm the next batch holds; `selected` are the (round, selection)
        pairs so far, `audit` is what the audit arm drew. How much of it is done is what is expected
        of its chances, so that later chances do not depend on what was drawn."""
        loop = self.settings.loop
        left = max(0, loop.budget - len({s.item_id for _, s in selected}))
        return split_batch(
            min(loop.batch_size, left),
            audit_done=round(audit.chance.sum()),
            audit_block=loop.audit_block,
            audit_share=loop.audit_share,
            random_share=loop.random_share,
            gold_share=loop.gold_share,
        )

    def candidate_rows(self, pool_rows: int) -> tuple[Rows, Rows]:
        """(rows that may go to annotators, labelled rows), both below `pool_rows`."""
        busy = busy_items(self.ledger.answered_items(), self.ledger.live_selections())
        train, _ = candidates(self.pool, busy, pool_rows)
        return train.rows, self.labelled(pool_rows)[0]

    def labelled(self, pool_rows: int) -> tuple[Rows, Labels]:
        """The labelled pool rows (n,) below `pool_rows`, and their labels (n, k)."""
        return labelled_rows(
            self.pool,
            self.ledger.annotations(),
            self.campaign.scheme,
            pool_rows,
            self.settings.votes.consensus,
        )

    def scores(self, model_id: str | None, pool_rows: int) -> ReadScores | None:
        """A function that reads the scores by this model that the strategy needs, for some pool
        rows; None without a model."""
        if model_id is None:
            return None
        folder = self.layout.scores / model_id
        needs, shards = sorted(self.strategy.needs), self.pool.shards()
        labelled, labels = self.labelled(pool_rows)

        def read(rows: Rows) -> dict[str, NDArray[np.float32]]:
            return {name: read_scores(folder, name, shards, rows) for name in needs}

        learned = self.ledger.models.get(model_id).labels
        return lambda rows: Scores(
            read(rows),
            read_thresholds(folder),
            self.campaign.scheme.multi,
            labelled=read(labelled),
            labels=labels,
            similarity=self.similarity(model_id, np.append(rows, labelled)),
        ).under(self.campaign.scheme, learned)

    @property
    def score_needs(self) -> frozenset[str]:
        """What is scored: what the strategy needs, and what the chances of audit items need."""
        by_model = self.settings.loop.audit_chances == "model"
        return self.strategy.needs | {"proba"} if by_model else self.strategy.needs

    def audit_sizes(self, model_id: str | None) -> AuditSizes | None:
        """The relative chances of audit items by what this model says; None where all have the same
        chance: by setting, without a model, and in a round that an older version scored."""
        if model_id is None or self.settings.loop.audit_chances == "uniform":
            return None
        folder, shards = self.layout.scores / model_id, self.pool.shards()
        if not all(score_file(folder, number, "proba").exists() for number, _, _ in shards):
            return None
        learned, scheme = self.ledger.models.get(model_id).labels, self.campaign.scheme

        def sizes(rows: Rows) -> Array:
            if not len(rows):
                return np.empty(0)
            proba = {"proba": read_scores(folder, "proba", shards, rows)}
            scores = Scores(proba, read_thresholds(folder), scheme.multi).under(scheme, learned)
            known = scores.arrays["proba"]
            return audit_sizes(known, flag_labels(known, scores.thresholds, scheme.multi))

        return sizes

    def similarity(self, model_id: str, rows: Rows) -> Similarity | None:
        """A function that returns cosine similarities of these pool rows, computed from stored
        features; None for a classifier without an encoder."""
        model = self.ledger.models.get(model_id)
        classifier: Any = plugin(Kind.CLASSIFIER, model.classifier).load()
        if not has_encoder(classifier):
            return None

        def load_encoder() -> Encoder:
            encoder = classifier.load(self.layout.folder / model.folder).encoder
            assert encoder is not None  # a saved model was trained
            return encoder

        store = FeatureStore(self.layout.features, self.pool)
        return store.similarity(cache(load_encoder), rows)
