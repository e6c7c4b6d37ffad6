"""What a model learns from: consensus, or the votes where they differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from biasloop.domain.annotation import RANDOM_SAMPLE, Annotation, Standing
from biasloop.domain.item import Ad, real_item, seed_item, synthetic_item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import ConsensusMethod
from biasloop.rounds.steps.train.data import (
    random_items,
    sample_unlabelled,
    training_data,
    training_set,
)
from biasloop.store.pool import ArrowPool
from support import annotations

SCHEME = Scheme(("age", "gender"), multi=True, none_label="inclusive")


def vote(item: str, who: str, *labels: str) -> Annotation:
    return annotations.vote(item, *labels, annotator=who)


def test_differing_votes_are_examples_of_their_own_with_the_weight_of_one(tmp_path: Path) -> None:
    pool = ArrowPool(tmp_path)
    same, differ = (seed_item(f"seed:{i}", f"Frase {i}.") for i in range(2))
    pool.append([same, differ])
    votes = [vote(same.id, who, "age") for who in "ab"]
    votes += [vote(differ.id, "a", "age"), vote(differ.id, "b", "inclusive")]
    votes += [vote(differ.id, "c", "age", "gender")]

    hard = training_data(pool, votes, SCHEME, constructed_weight=0.5)
    assert list(hard["item_id"]) == [same.id, differ.id]
    assert hard[["label_age", "label_gender", "weight"]].to_numpy().tolist() == [[1, 0, 1]] * 2

    soft = training_data(pool, votes, SCHEME, constructed_weight=0.5, soft=True)
    assert list(soft["item_id"]) == [same.id] + [differ.id] * 3
    assert list(soft["row"]) == [0, 1, 1, 1]
    vote_rows = soft[soft["item_id"] == differ.id]
    assert vote_rows["weight"].sum() == pytest.approx(1)
    assert (vote_rows["label_age"] * vote_rows["weight"]).sum() == pytest.approx(2 / 3)
    assert (vote_rows["label_gender"] * vote_rows["weight"]).sum() == pytest.approx(1 / 3)


def test_reliability_decides_where_a_majority_would_not(tmp_path: Path) -> None:
    pool = ArrowPool(tmp_path)
    items = [seed_item(f"seed:{i}", f"Frase {i}.") for i in range(21)]
    pool.append(items)
    votes = []
    for i, item in enumerate(items[:-1]):  # a and b agree; c calls everything "age"
        votes += [vote(item.id, who, "inclusive" if i % 2 else "age") for who in "ab"]
        votes += [vote(item.id, "c", "age")]
    votes += [vote(items[-1].id, "a", "inclusive"), vote(items[-1].id, "c", "age")]
    learned = {
        m: training_data(pool, votes, SCHEME, m, constructed_weight=0) for m in ConsensusMethod
    }
    last = {method: data["label_age"].iloc[-1] for method, data in learned.items()}
    assert last == {ConsensusMethod.MAJORITY: 1, ConsensusMethod.DAWID_SKENE: 0}


def test_written_texts_teach_at_their_weight_and_no_fold_cuts_a_root_of_theirs(
    tmp_path: Path,
) -> None:
    pool = ArrowPool(tmp_path)
    real = [seed_item(f"seed:{i}", f"Frase {i}.") for i in range(5)]
    written_items = [
        synthetic_item((real[0], real[1]), "Una frase nuova.", "llm:write:age@1"),
        synthetic_item((real[1], real[2]), "Un'altra.", "llm:write:age@1"),
        synthetic_item((real[3], real[4]), "Una terza.", "llm:write:age@1"),
    ]
    pool.append(real + written_items)
    votes = [vote(item.id, "a", "age") for item in real]
    votes += [
        replace(vote(item.id, "llm", "age"), source=LabelSource.LLM) for item in written_items
    ]

    def folds(written: dict[str, float]) -> dict[str, list[str]]:
        data = training_data(pool, votes, SCHEME, constructed_weight=0.5, written=written)
        sources = data.set_index("item_id")["source"]
        assert {i for i in sources.index if sources[i] == "llm"} == set(written)
        weights = data.set_index("item_id")["weight"]
        assert all(weights[item] == weight for item, weight in written.items())
        ids = [item.id for item in (*real, *written_items)]
        groups = data.groupby("fold")["item_id"]
        return {fold: sorted(ids.index(i) for i in item_ids) for fold, item_ids in groups}

    alone = {item.roots[0]: [i] for i, item in enumerate(real)}
    assert folds({}) == alone  # texts that teach nothing join nothing
    together = folds({written_items[0].id: 0.5, written_items[1].id: 0.25})
    assert sorted(together.values()) == [[0, 1, 2, 5, 6], [3], [4]]
    everything = folds({item.id: 0.5 for item in written_items})
    assert sorted(everything.values()) == [[0, 1, 2, 5, 6], [3, 4, 7]]


def test_items_that_stand_for_the_pool_were_drawn_at_random_or_imported_as_such() -> None:
    sampled = replace(vote("sampled", "import"), extra={RANDOM_SAMPLE: True})
    undone = replace(sampled, item_id="undone", standing=Standing.DELETED)
    votes = [vote("chosen", "a"), sampled, undone]
    assert random_items({"random"}, votes) == {"random", "sampled"}


def test_only_rows_of_random_items_are_marked(tmp_path: Path) -> None:
    pool = ArrowPool(tmp_path)
    items = [seed_item(f"seed:{i}", f"Frase {i}.") for i in range(2)]
    pool.append(items)
    votes = [vote(item.id, "a", "age") for item in items]
    data = training_data(pool, votes, SCHEME, constructed_weight=0.5, random={items[1].id})
    learned = training_set(data, SCHEME.labels, SCHEME.multi)
    assert learned.random is not None
    assert learned.random.tolist() == [False, True]


def test_thresholds_are_set_on_unlabelled_real_train_items(tmp_path: Path) -> None:
    pool = ArrowPool(tmp_path)
    ads = [Ad(f"ad-{i}", f"Frase {i}.", language="it") for i in range(30)]
    items = [
        real_item(ad, 0, len(ad.text), Split.AUDIT if i < 10 else Split.TRAIN)
        for i, ad in enumerate(ads)
    ]
    copy = synthetic_item((items[20],), "Copia.", "version")
    pool.append([*items, seed_item("seed:0", "Seme."), copy], ads)
    pool.erase("ad-29")
    rows = sample_unlabelled(pool, [items[10].id, items[11].id, "unknown"], seed=0)
    assert rows.tolist() == list(range(12, 29))
