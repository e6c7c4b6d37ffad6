"""Whether a sentence about the same person gets the right verdict in each of its four forms.

    python -m benchmarks.quadruples [--classifier tfidf] [--options JSON] [--json]

quadruples.jsonl holds 40 quadruples: a masculine and a feminine form, which are `gender`, a paired
and a neutral one, which are not. A language model wrote them from the guideline alone. It had seen
neither lexicon nor seeds nor errors, and nothing has been corrected by them: **they are for
measuring, never to learn from**. A quadruple is consistent if all four verdicts are right. The
model learns from the campaign's seeds and their expansions.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.seeds import SEED, arm_rows, load
from biasloop.domain.measure.resample import RESAMPLES, Roots, percentile_interval
from biasloop.plugins.registry import Kind, create
from biasloop.rounds.steps.train.data import training_set

QUADRUPLES = Path(__file__).with_name("quadruples.jsonl")
FORMS = {"masculine": True, "feminine": True, "paired": False, "neutral": False}
LABEL = "gender"
LONG = 25
"""A quadruple is long if each of its forms has more words."""


def verdicts(texts: list[str], classifier: str, options: dict[str, Any]) -> list[bool]:
    """Whether each text is flagged with LABEL."""
    with tempfile.TemporaryDirectory() as folder:
        service, data = load("job_ads_it", Path(folder) / "w")
        scheme, recipe = service.campaign.scheme, service.steps.lookups.recipe
        seeds = training_set(data[arm_rows(data, "expansion")], scheme.labels, scheme.multi)
        language = {"language": recipe.linear["language"]} if recipe.linear else {}
        model = create(Kind.CLASSIFIER, classifier, language | options)
        model.fit(seeds, seed=SEED)
        flags = model.predict_proba(texts) >= model.thresholds
        return [bool(flag) for flag in flags[:, scheme.labels.index(LABEL)]]


def measure(rows: list[dict[str, Any]], flagged: list[bool]) -> dict[str, Any]:
    """The share of quadruples that are consistent, resampled, and the right verdicts per form.
    `flagged` has the verdicts of all forms of a quadruple, one quadruple after the other."""
    right = np.array(flagged).reshape(len(rows), len(FORMS)) == list(FORMS.values())
    long = np.array([min(len(row[form].split()) for form in FORMS) > LONG for row in rows])
    consistent = right.all(axis=1)
    draws = Roots.from_names([row["id"] for row in rows]).draws(SEED, RESAMPLES)
    shares = np.concatenate(
        [(d @ consistent[:, None] / d.sum(axis=1, keepdims=True)) for d in draws]
    )
    return {
        "consistent": str(percentile_interval(shares[:, 0])),
        "long": [int(consistent[long].sum()), int(long.sum())],
        "short": [int(consistent[~long].sum()), int((~long).sum())],
        "right": dict(zip(FORMS, right.sum(axis=0).tolist(), strict=True)),
    }


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classifier", default="tfidf")
    parser.add_argument("--options", type=json.loads, default={}, help="of the classifier, JSON")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in QUADRUPLES.read_text("utf-8").splitlines()]
    texts = [row[form] for row in rows for form in FORMS]
    figures = measure(rows, verdicts(texts, arguments.classifier, arguments.options))
    print(json.dumps(figures) if arguments.json else figures)


if __name__ == "__main__":
    main()
