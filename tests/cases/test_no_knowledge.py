"""Kind 6: a model that says the same of every text is not taken for one that knows."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from biasloop.plugins.registry import Kind, create
from biasloop.simulate.gold import Gold, read_gold
from biasloop.simulate.run import Encoded, Setup, simulate
from support.cli import Cli, write_jsonl
from support.small import draw_texts


def test_a_label_that_no_word_gives_away_is_not_flagged(
    cli_with_model: Cli, tmp_path: Path
) -> None:
    """Case 19: half of all texts were flagged with it, and no note said why."""
    rows = [{"id": str(n), "text": text} for n, text in enumerate(draw_texts(200, seed=4))]
    rows += [{"id": "w", "text": "cerchiamo una cameriera"}]
    output = cli_with_model("classify", write_jsonl(tmp_path / "new.jsonl", *rows))
    flagged = [json.loads(line)["flagged"] for line in output.splitlines()]
    assert sum("rara" in labels for labels in flagged) == 0
    assert flagged[-1] == ["genere"]
    notes = cli_with_model.json("models", "list")[-1]["card"]["notes"]
    assert any("rara" in note and "chance" in note for note in notes), notes


ORDINARY = ("listino", "catalogo", "prezzo", "misura", "colore", "taglia", "negozio", "orario")
URGENT = ("guasto", "perdita", "allagato", "fumo", "scossa", "incendio", "rotto", "blocco")
LACKING = (2, 5)
"""Seeds whose first batch holds ordinary texts only."""
COMMON = ("oggi", "ieri", "sempre", "molto", "poco", "anche", "forse", "bene", "male", "qui")


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Gold:
    """Short texts, one in twenty of them urgent, with words of its own."""
    draw = random.Random(5)

    def row(n: int) -> dict[str, str]:
        own = ORDINARY if n % 20 else URGENT
        text = " ".join([*draw.sample(own, 3), *draw.sample(COMMON, 4), str(n)])
        return {"text": text, "label": "ordinario" if n % 20 else "urgente"}

    folder = tmp_path_factory.mktemp("gold")
    pool = write_jsonl(folder / "pool.jsonl", *map(row, range(200)))
    return read_gold(pool, write_jsonl(folder / "test.jsonl", *map(row, range(200, 240))))


def test_the_default_strategy_meets_a_class_that_the_first_batch_lacked(gold: Gold) -> None:
    """Case 21: sure of the only class that it knew, it never asked about another one."""
    encoder = create(Kind.CLASSIFIER, "tfidf", {}).make_encoder(gold.pool.texts)
    encoded = Encoded(encoder, encoder.encode(gold.pool.texts), encoder.encode(gold.test.texts))
    is_rare = gold.pool.labels[:, list(gold.scheme.labels).index("urgente")] == 1
    setup = Setup("tfidf", {"folds": 2}, batch=10, budget=50)
    urgent_asked = []
    for seed in LACKING:
        asked = simulate(gold, setup, "auto", seed, encoded).asked
        assert not is_rare[asked[:10]].any()
        urgent_asked.append(np.count_nonzero(is_rare[asked]))
    assert any(urgent_asked), urgent_asked
