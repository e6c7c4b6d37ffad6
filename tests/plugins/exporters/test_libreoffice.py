"""LibreOffice opens what was written, and no cell of it is a formula."""

import re
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

from biasloop.plugins.registry import Kind, create
from biasloop.ports import Exporter

LEADS = [
    *"=+-@＝＋－＠",
    "\t=",
    "\r=",
    "\n=",
    " =",
    "\u00a0=",
    "'=",
    '"=',
    "{=",
    "\ufeff=",
    "\u200b=",
    "\v=",
]
CELLS = [f"{lead}{rest}" for lead in LEADS for rest in ("1+1", 'HYPERLINK("http://example.org")')]
EXECUTED = re.compile(r"table:formula=|xlink:href=.http://example")


@pytest.mark.heavy
@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_no_cell_is_a_formula(format: str, tmp_path: Path) -> None:
    exporter: Exporter = create(Kind.EXPORTER, format)
    batch = pa.RecordBatch.from_pydict({"item_id": ["x"] * len(CELLS), "text": CELLS})
    path = exporter.write("items", {"item_id": str, "text": str}, [batch], tmp_path)
    sheet = opened(path)
    assert sheet.count("HYPERLINK") == len(LEADS)
    assert not EXECUTED.findall(sheet)
    control = tmp_path / "control.csv"
    control.write_text("text\n=1+1\n")
    assert EXECUTED.findall(opened(control))


def opened(path: Path) -> str:
    """The sheet as LibreOffice understands it."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed (on Debian: apt-get install libreoffice-calc)")
    profile = f"-env:UserInstallation=file://{path.parent / 'profile'}"
    command = [program, profile, "--headless", "--convert-to", "fods", "--outdir", path.parent]
    subprocess.run([*command, path], check=True, capture_output=True, timeout=300)
    return path.with_suffix(".fods").read_text("utf-8")
