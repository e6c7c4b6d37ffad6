"""The plug-ins that CONTRIBUTING.md shows hold the contracts of their kinds, as printed there."""

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
def test_an_example_holds_the_contract(kind: Kind) -> None:
    (name, *_), _ = examples()[kind]
    suite = Path(__file__).parent / SUITES[kind]
    command = [sys.executable, "-m", "pytest", "-p", "support.examples", "-q", str(suite)]
    done = subprocess.run(
        [*command, "-k", f"{name} or {name}-"],
        cwd=PAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 5, done.stdout
