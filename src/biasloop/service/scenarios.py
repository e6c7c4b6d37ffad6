"""Scenarios of a trial: items near the border, or texts that people bring."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Rows
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.learning import Scores
from biasloop.domain.split import Split
from biasloop.domain.trial import Scenario, Why, mix
from biasloop.domain.votes.consensus import ItemLabel, resolve
from biasloop.errors import DataError, PoolError
from biasloop.intake.files import LINES
from biasloop.intake.rows import Reject, read_rows
from biasloop.plugins.strategies.uncertainty import BreakingTies, MarginToBorder
from biasloop.rounds.steps.candidates import busy_items, candidates
from biasloop.service.service import Service
from biasloop.store.scores import read_scores, read_thresholds

MAX_SCENARIOS = 500
"""Scenarios of one trial: people shall look through them."""
SALT = 0x7472
"""Keeps its draws apart from those of batches."""


def borderline(service: Service, n: int) -> list[Scenario]:
    """Up to n train items that a guideline is likely to be about; seeded, so that drafts which
    follow one another are tried on the same ones.

    A quarter are items on which people's votes differ, with those of the labelled ones that the
    newest scores put nearest to the border they make a half; the rest are the unlabelled ones
    nearest to it. Without scores both are drawn at random. Raises DataError when there are none.
    """
    pool, annotations = service.pool, service.ledger.annotations()
    rng = np.random.default_rng([service.settings.seed, SALT])
    verdicts = _by_people(service, annotations)
    known: Rows = np.array(sorted(verdicts), np.int64)
    differ = [len({frozenset(said) for said, _ in verdicts[row].votes}) > 1 for row in known]
    busy = busy_items(annotations, service.ledger.live_selections())
    free, _ = candidates(pool, busy)
    chosen = mix(
        n,
        differ=rng.permutation(known[np.array(differ, bool)]),
        labelled=_nearest(service, known, Why.BORDER, rng),
        unlabelled=_nearest(service, free.rows, Why.UNSURE, rng),
        hashes=pool.column("text_hash"),
    )
    if not chosen:
        raise DataError(
            "there is nothing to try the draft on: the pool has no ads. `biasloop import FILE…` "
            "brings some in, or give scenarios of your own"
        )
    items = pool.items([row for row, _ in chosen])
    return [
        Scenario(
            item.text, why, verdicts[row].labels if row in verdicts else None, item.id, item.roots
        )
        for item, (row, why) in zip(items, chosen, strict=True)
    ]


def _by_people(service: Service, annotations: Iterable[Annotation]) -> dict[int, ItemLabel]:
    """What people's votes on train items come to, by pool row."""
    pool = service.pool
    found = resolve(annotations, service.campaign.scheme, service.settings.votes.consensus)
    said = {item: v for item, v in found.items() if v.source is LabelSource.HUMAN}
    rows = pool.rows_of(list(said))
    usable = (pool.column("split") == Split.TRAIN) & ~pool.column("erased")
    return {
        int(row): verdict
        for row, verdict in zip(rows, said.values(), strict=True)
        if row >= 0 and usable[row]
    }


def _nearest(service: Service, rows: Rows, why: Why, rng: np.random.Generator) -> tuple[Rows, Why]:
    """These rows, sorted, those nearest to the border first; shuffled where nothing is scored."""
    found = _newest_scores(service, rows)
    if found is None:
        return rng.permutation(rows), Why.DRAWN
    rows, scores = found
    ranking = MarginToBorder() if scores.multi else BreakingTies()
    order = rng.permutation(len(rows))  # of equals, chance decides
    return rows[order[np.argsort(-ranking.worth(scores)[order], kind="stable")]], why


def _newest_scores(service: Service, rows: Rows) -> tuple[Rows, Scores] | None:
    """Those of the rows that the newest round scored, and their probabilities; None before any
    round did, or where its strategy needed none."""
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
    multi = service.campaign.scheme.multi
    return rows[scored], Scores({"proba": proba[scored]}, thresholds, multi)


# --- texts that people bring ---------------------------------------------------------------------


def from_file(path: Path, scheme: Scheme) -> list[Scenario]:
    """JSON lines with `text` and, where it is known, `labels`; any other file holds one text a
    line. Raises DataError naming the line that cannot be used."""
    if path.suffix.lower() not in LINES:
        try:
            return from_lines(path.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {path}: {error}; it should be UTF-8 text") from None
    found = []
    for row in read_rows(path):
        if isinstance(row, Reject):
            raise DataError(f"{path}, line {row.line}: {row.reason}")
        if row.labels is not None and (reason := scheme.reason_to_set_aside(row.labels)):
            known = ", ".join(scheme.choices)
            raise DataError(f"{path}, line {row.line}: labels with {reason}; known are {known}")
        found.append(Scenario(row.text.strip(), known=row.labels))
    return _distinct(found)


def from_lines(text: str) -> list[Scenario]:
    """One text a line. Raises DataError when there is none, or too many."""
    return _distinct([Scenario(line.strip()) for line in text.splitlines() if line.strip()])


def _distinct(scenarios: Sequence[Scenario]) -> list[Scenario]:
    found = list({scenario.text: scenario for scenario in scenarios}.values())
    if not found:
        raise DataError("there is no scenario in it; write one text a line")
    if len(found) > MAX_SCENARIOS:
        raise DataError(
            f"{len(found)} scenarios are more than anybody looks at; give up to {MAX_SCENARIOS}"
        )
    return found
