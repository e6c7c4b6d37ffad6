"""The Italian campaign's language, read once."""

from pathlib import Path

import pytest

from biasloop.plugins.expanders.clauses import Clauses, read_clauses
from biasloop.plugins.expanders.labels import LabelNames, read_names
from biasloop.plugins.language.data import Language, read_language

DATA = Path(__file__).parents[3] / "annotation_config" / "job_ads_it" / "counterfactual"


@pytest.fixture(scope="session")
def italian() -> Language:
    language = read_language(DATA)
    assert language is not None
    return language


@pytest.fixture(scope="session")
def names() -> LabelNames:
    return read_names(DATA / "labels.toml")


@pytest.fixture(scope="session")
def clauses() -> Clauses:
    return read_clauses(DATA / "clauses.toml")
