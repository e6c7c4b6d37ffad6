"""Nothing of the audit split ever trains a model, whatever a campaign looks like.

Random campaigns go through the real steps on a real pool; people's answers are recorded directly,
and the expander is greedy: it makes something of every parent it is given, alone and mixed.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm, Quota, Selection
from biasloop.domain.item import Ad, Item, Origin, item_id, real_item, seed_item, text_hash
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.learning import Scores
from biasloop.domain.model import Evaluation
from biasloop.domain.round import Round, State
from biasloop.domain.split import Split, split_of
from biasloop.domain.votes.consensus import ConsensusMethod
from biasloop.domain.writing.synthesis import SyntheticItem
from biasloop.plugins.registry import Kind, create
from biasloop.rounds.child import no_heartbeat
from biasloop.rounds.steps.evaluate.audit import audit_set
from biasloop.rounds.steps.expand.step import add_to_pool, build_corpus, to_annotation
from biasloop.rounds.steps.select import select
from biasloop.rounds.steps.train.data import training_data
from biasloop.service.service import Service
from biasloop.store.pool import ArrowPool
from support.annotations import vote
from support.served import copy, run_biasloop

SCHEME = Scheme(("gender", "age"), multi=True, none_label="inclusive")
STRATEGY = create(Kind.STRATEGY, "auto")
NOW = datetime(2026, 3, 1, tzinfo=UTC)

TEXTS = [f"Frase numero {i}." for i in range(12)]
"""Few, so that many ads share a sentence."""

ads = st.lists(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4), min_size=1, max_size=15)
seeds = st.lists(st.sampled_from(TEXTS), unique=True, max_size=3)
quotas = st.builds(Quota, *[st.integers(0, 4)] * 3)
labels = st.sets(st.sampled_from(SCHEME.labels)).map(lambda s: tuple(s) or ("inclusive",))
ANSWERED = (Standing.VOTE, Standing.SKIP)
answers = st.tuples(labels, st.sampled_from([*[Standing.VOTE] * 4, *Standing]))


class Greedy:
    """Makes an item of every parent, and one of each two neighbours; guards nothing."""

    def expand(
        self, parents: Sequence[tuple[Item, tuple[str, ...]]], seed: int
    ) -> Iterator[SyntheticItem]:
        for family in [*((parent,) for parent in parents), *pairwise(parents)]:
            items = [item for item, _ in family]
            roots = tuple(sorted({root for item in items for root in item.roots}))
            text = f"Anche: {' '.join(item.text for item in items)}"
            yield SyntheticItem(
                Item(
                    id=item_id(":".join(roots), 0, len(text), text),
                    text=text,
                    text_hash=text_hash(text),
                    roots=roots,
                    split=Split.TRAIN,
                    origin=Origin.SYNTHETIC,
                    parents=tuple(item.id for item in items),
                ),
                family[0][1],
                LabelSource.CONSTRUCTED,
            )


def answer(item_id: str, said: tuple[str, ...], standing: Standing) -> Annotation:
    return vote(item_id, *said, standing=standing, asked=SCHEME.labels, at=NOW)


def seed_label(item: Item, said: tuple[str, ...]) -> Annotation:
    facts = {"source": LabelSource.SEED, "asked": SCHEME.labels, "at": NOW}
    return vote(item.id, *said, key=f"seed:{item.id}", annotator="seed", **facts)


def fill(pool: ArrowPool, texts: list[list[str]], campaign_seed: int) -> None:
    """Every ad is cut into its sentences."""
    items, whole = [], []
    for number, sentences in enumerate(texts):
        ad = Ad(f"ad-{number}", " ".join(sentences))
        whole.append(ad)
        start = 0
        for sentence in sentences:
            split = split_of(ad.id, campaign_seed)
            items.append(real_item(ad, start, start + len(sentence), split))
            start += len(sentence) + 1
    pool.append(items, whole)


def random_scores(rows: np.ndarray[Any, Any], seed: int) -> Scores:
    proba = np.random.default_rng(seed).random((len(rows), 2)).astype(np.float32)
    return Scores({"proba": proba}, np.full(2, 0.5, np.float32), multi=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), ads, seeds, st.integers(0, 99))
def test_no_audit_root_trains_a_model_or_has_descendants(
    data: st.DataObject, texts: list[list[str]], seed_texts: list[str], campaign_seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pool = ArrowPool(Path(folder))
        fill(pool, texts, campaign_seed)
        sown = [seed_item(f"seed:{i}", text) for i, text in enumerate(seed_texts)]
        pool.append(sown)
        ledger = {(a := seed_label(item, data.draw(labels))).key: a for item in sown}
        selected: list[tuple[int, Selection]] = []

        for round_id in range(data.draw(st.integers(1, 4), "rounds")):
            corpus = build_corpus(pool, ledger.values(), SCHEME, ConsensusMethod.MAJORITY, {}, 0)
            made = list(Greedy().expand(corpus.parents, campaign_seed))
            add_to_pool([("greedy", one) for one in made], pool)
            votes = [to_annotation(one, "greedy", SCHEME, "p", NOW) for one in made]
            ledger |= {a.key: a for a in votes}
            modelled = round_id > 0
            records = select(
                round_id=round_id,
                pool=pool,
                pool_rows=len(pool),
                answered={a.item_id for a in ledger.values() if a.standing in ANSWERED},
                selected=selected,
                quota=data.draw(quotas, "quota"),
                strategy=STRATEGY,
                read_scores=(lambda rows: random_scores(rows, campaign_seed)) if modelled else None,
                max_per_ad=3,
                seed=campaign_seed,
            ).records
            batch = [record for record in records if isinstance(record, Selection)]
            check_batch(pool, batch, selected)
            selected += [(round_id, selection) for selection in batch]
            for selection in batch:
                if data.draw(st.booleans(), "answered"):
                    said = answer(selection.item_id, *data.draw(answers, "answer"))
                    ledger[said.key] = said
            check_training(pool, list(ledger.values()), campaign_seed)


def check_batch(
    pool: ArrowPool, batch: Sequence[Selection], before: Sequence[tuple[int, Selection]]
) -> None:
    """One item per text, nothing twice, each arm from its own split, real items only."""
    items = pool.items([selection.row for selection in batch])
    assert [item.id for item in items] == [selection.item_id for selection in batch]
    assert len({item.text_hash for item in items}) == len(items)
    assert not {s.item_id for s in batch} & {s.item_id for _, s in before}
    for selection, item in zip(batch, items, strict=True):
        assert item.origin is Origin.REAL
        assert (item.split is Split.AUDIT) == (selection.arm is Arm.AUDIT)


def check_training(pool: ArrowPool, annotations: Sequence[Annotation], campaign_seed: int) -> None:
    """Only train roots are learned from, by whatever way; what audit reports is not among it."""
    of_ads = set(pool.ads([f"ad-{i}" for i in range(100)]))
    audit = {root for root in of_ads if split_of(root, campaign_seed) is Split.AUDIT}
    data = training_data(pool, annotations, SCHEME, constructed_weight=0.5)
    learned = pool.items(pool.rows_of(list(data["item_id"])))
    assert not {root for item in learned for root in item.roots} & audit
    everything = pool.items(range(len(pool)))
    synthetic = [item for item in everything if item.origin is Origin.SYNTHETIC]
    assert not {root for item in synthetic for root in item.roots} & audit
    reported = {item.id for item in audit_set(pool, annotations, SCHEME, []).items}
    assert not reported & set(data["item_id"])


def test_the_report_without_texts_that_were_learned_leaves_them_out(
    tiny: Path, tmp_path: Path
) -> None:
    names = {split: [n for n in map(str, range(40)) if split_of(n, 0) is split] for split in Split}
    shared = "Cerchiamo un fabbro a Como."
    rows = [
        {"id": names[Split.TRAIN][0], "text": shared, "labels": ["gender"]},
        {"id": names[Split.AUDIT][0], "text": shared, "labels": ["gender"]},
        {"id": names[Split.AUDIT][1], "text": "Cerchiamo una sarta.", "labels": ["gender"]},
    ]
    file = tmp_path / "labelled.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    workspace = copy(tiny, tmp_path / "workspace")
    run_biasloop(workspace, "import", "--label-source", "human", str(file))
    run_biasloop(workspace, "train")
    service = Service(workspace)
    ((_, _, model),) = service.ledger.models.all()
    done = service.steps.evaluate(Round(0, State.TRAINED, {"model": model.id}, NOW), no_heartbeat)
    service.ledger.close()
    (report,) = (found.report for found in done.records if isinstance(found, Evaluation))
    assert report["audit"]["n_items"] == 2
    assert report["audit_unseen_texts"]["n_items"] == 1
