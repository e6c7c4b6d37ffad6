"""Scenarios of a trial: borderline items, or texts that users bring."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Rows
from biasloop.domain.label import BY_PEOPLE, Scheme
from biasloop.domain.learning import Scores
from biasloop.domain.split import Split
from biasloop.domain.trial import Scenario, ScenarioReason, mix_scenarios
from biasloop.domain.votes.consensus import ItemLabel, resolve_item_labels
from biasloop.errors import DataError, PoolError
from biasloop.intake.files import TABLES, format_suffix
from biasloop.intake.rows import Reject, read_rows
from biasloop.plugins.strategies.uncertainty import BreakingTies, MarginToBorder
from biasloop.rounds.steps.candidates import busy_items, candidates
from biasloop.service.service import Service
from biasloop.store.scores import read_scores, read_thresholds

MAX_SCENARIOS = 500
"""Most scenarios of one trial: people should be able to read them all."""
SEED_SALT = 0x7472
"""Part of the seed, so that scenarios are not drawn with the random numbers of batches."""


def borderline(service: Service, n: int) -> list[Scenario]:
    """Up to n train items on which a guideline is likely to matter; seeded, so that successive
    drafts are tried on the same ones.

    A quarter are items on which votes differ; with the labelled items nearest to the decision
    border, by the newest scores, they make up half. The rest are the unlabelled items nearest to
    it. Without scores both are random. Raises DataError when there are none.
    """
    pool, annotations = service.pool, service.ledger.annotations()
    rng = np.random.default_rng([service.settings.seed, SEED_SALT])
    item_labels = _human_labels(service, annotations)
    labelled_rows: Rows = np.array(sorted(item_labels), np.int64)
    differ = [
        len({frozenset(labels) for labels, _ in item_labels[row].votes}) > 1
        for row in labelled_rows
    ]
    busy = busy_items(service.ledger.answered_items(), service.ledger.live_selections())
    free, _ = candidates(pool, busy)
    chosen = mix_scenarios(
        n,
        differ=rng.permutation(labelled_rows[np.array(differ, bool)]),
        labelled=_nearest(service, labelled_rows, ScenarioReason.BORDER, rng),
        unlabelled=_nearest(service, free.rows, ScenarioReason.UNSURE, rng),
        hashes=pool.column("text_hash"),
    )
    if not chosen:
        raise DataError(
            "there is nothing to try the draft on: the pool has no ads. Add some with `biasloop "
            "import FILE…`, or give scenarios of your own"
        )
    items = pool.items([row for row, _ in chosen])
    return [
        Scenario(
            item.text,
            why,
            item_labels[row].labels if row in item_labels else None,
            item.id,
            item.roots,
        )
        for item, (row, why) in zip(items, chosen, strict=True)
    ]


def _human_labels(service: Service, annotations: Iterable[Annotation]) -> dict[int, ItemLabel]:
    """The labels of train items that people labelled, by pool row."""
    pool = service.pool
    resolved = resolve_item_labels(
        annotations, service.campaign.scheme, service.settings.votes.consensus
    )
    human = {item: label for item, label in resolved.items() if label.source in BY_PEOPLE}
    rows = pool.rows_of(list(human))
    usable = (pool.column("split") == Split.TRAIN) & ~pool.column("erased")
    return {
        int(row): item_label
        for row, item_label in zip(rows, human.values(), strict=True)
        if row >= 0 and usable[row]
    }


def _nearest(
    service: Service, rows: Rows, why: ScenarioReason, rng: np.random.Generator
) -> tuple[Rows, ScenarioReason]:
    """(rows, reason): the rows nearest to the decision border first, or in random order without
    scores."""
    scored = newest_scores(service, rows)
    if scored is None or not scored.scores.has_opinion:
        return rng.permutation(rows), ScenarioReason.DRAWN
    rows, scores = scored.rows, scored.scores
    ranking = MarginToBorder() if scores.multi else BreakingTies()
    order = rng.permutation(len(rows))  # ties are broken at random
    return rows[order[np.argsort(-ranking.worth(scores)[order], kind="stable")]], why


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Pool rows (m,) and the probabilities of these labels that this model gave them."""

    model: str
    rows: Rows
    scores: Scores
    labels: tuple[str, ...]


def newest_scores(service: Service, rows: Rows) -> ScoredRows | None:
    """The rows among these that the newest round scored, and their probabilities; None before any
    round scored, or if its strategy needed no probabilities."""
    rounds = service.ledger.rounds.all()
    facts = next((r.facts for r in reversed(rounds) if r.facts.get("scored_with")), None)
    if facts is None:
        return None
    folder, shards = service.layout.scores / facts["scored_with"], service.pool.shards()
    rows = rows[rows < facts["pool_rows"]]
    try:
        proba, thresholds = read_scores(folder, "proba", shards, rows), read_thresholds(folder)
    except PoolError:
        return None
    scored = ~np.isnan(proba).any(axis=1)  # a cascade leaves some out
    learned = service.ledger.models.get(facts["scored_with"]).labels
    scheme = service.campaign.scheme
    scores = Scores({"proba": proba[scored]}, thresholds, scheme.multi).under(scheme, learned)
    return ScoredRows(facts["scored_with"], rows[scored], scores, scheme.known_labels(learned))


# --- texts that users bring ----------------------------------------------------------------------


def from_file(path: Path, scheme: Scheme) -> list[Scenario]:
    """Reads scenarios from a table with `text` and, if known, `labels`; any other file holds one
    text per line. Raises DataError that names the line that cannot be used."""
    if format_suffix(path) not in TABLES:
        try:
            return from_lines(path.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {path}: {error}; it should be UTF-8 text") from None
    scenarios = []
    for row in read_rows(path):
        if isinstance(row, Reject):
            raise DataError(f"{path}, line {row.line}: {row.reason}")
        if row.labels is not None and (reason := scheme.reason_to_set_aside(row.labels)):
            choices = ", ".join(scheme.choices)
            raise DataError(f"{path}, line {row.line}: {reason}; the labels are {choices}")
        scenarios.append(Scenario(row.text.strip(), known=row.labels))
    return _distinct(scenarios)


def from_lines(text: str) -> list[Scenario]:
    """Reads one scenario per line. Raises DataError when there is none, or too many."""
    return _distinct([Scenario(line.strip()) for line in text.splitlines() if line.strip()])


def _distinct(scenarios: Sequence[Scenario]) -> list[Scenario]:
    distinct = list({scenario.text: scenario for scenario in scenarios}.values())
    if not distinct:
        raise DataError("there are no scenarios; write one text per line")
    if len(distinct) > MAX_SCENARIOS:
        raise DataError(
            f"{len(distinct)} scenarios are too many to read; give at most {MAX_SCENARIOS}"
        )
    return distinct
