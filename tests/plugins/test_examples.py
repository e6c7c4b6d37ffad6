"""The example plug-ins in CONTRIBUTING.md pass the contract suites of their kinds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from biasloop.plugins.registry import Kind
from support.examples import PAGE, examples

SUITES = {
    Kind.STRATEGY: "strategies/test_contract.py",
    Kind.CLASSIFIER: "classifiers/test_contract.py",
    Kind.EXPANDER: "expanders/test_contract.py",
    Kind.EXPORTER: "exporters/test_exporters.py",
}


def test_there_is_an_example_of_every_kind() -> None:
    assert set(examples()) == set(Kind) == set(SUITES)


@pytest.mark.parametrize("kind", Kind)
def test_an_example_passes_its_contract_suite(kind: Kind) -> None:
    (name, *_), _ = examples()[kind]
    suite = Path(__file__).parent / SUITES[kind]
    command = [sys.executable, "-m", "pytest", "-p", "support.examples", "-q", str(suite)]
    result = subprocess.run(
        [*command, "-k", f"{name} or {name}-"],
        cwd=PAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert int(re.findall(r"(\d+) passed", result.stdout)[0]) >= 5, result.stdout
