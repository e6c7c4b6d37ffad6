"""docs/analyst.ipynb, executed as an analyst does: on an export, with pandas and `datasets`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell

from biasloop.domain.measure.prevalence import AuditedItems, estimate_share
from biasloop.service.measured_pool import measure_pool
from biasloop.service.service import Service
from support.analyst import import_ads, is_waiter, label
from support.cli import Cli
from support.workspaces import CopyBare

NOTEBOOK = Path(__file__).parents[2] / "docs" / "analyst.ipynb"
PATIENCE = 300
"""Seconds after which a cell is given up; never a measure of anything."""
BEFORE = "import warnings; warnings.simplefilter('error')"
AFTER = """
for name in ("whole", "by_sector", "by_month", "by_model"):
    if name in globals():
        globals()[name].reset_index().to_parquet(f"{name}.parquet")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, copy_bare: CopyBare) -> Path:
    """A folder with an export, the shares by biasloop, and the workspace that they are of."""
    folder = tmp_path_factory.mktemp("analyst")
    service = Service(copy_bare(folder / "workspace", "job_ads_en"))
    import_ads(service, folder)
    label(service)
    service.close()
    cli = Cli(folder / "workspace")
    cli("export", "--all", "--format", "datasets", "--to", folder / "export")
    shares = cli("prevalence", "--json", "--by", "sector")
    (folder / "prevalence.json").write_text(shares, "utf-8")
    return folder


@pytest.fixture(scope="module")
def executed(folder: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs; its tables are files of the folder."""
    return execute(folder)


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    service = Service(folder / "workspace")
    yield service
    service.close()


def execute(folder: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells = [new_code_cell(BEFORE), *notebook.cells, new_code_cell(AFTER)]
    client = NotebookClient(
        notebook, timeout=PATIENCE, resources={"metadata": {"path": str(folder)}}
    )
    homes = {"HF_HOME": str(folder / "cache"), "IPYTHONDIR": str(folder / "ipython")}
    return client.execute(env=os.environ | homes)


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_every_cell_runs_and_plots_are_drawn(executed: nbformat.NotebookNode) -> None:
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert [o.get("text") for o in outputs if o.get("name") == "stderr"] == []
    images = [o for o in outputs if "image/png" in o.get("data", ())]
    assert len(images) == 3  # of the one estimable label: by sector, by month, with the model
    tables = " ".join(o.data["text/html"] for o in outputs if "text/html" in o.get("data", ()))
    assert "not estimable" in tables


def test_the_intervals_hold_the_truth_and_the_raw_share_does_not(
    executed: nbformat.NotebookNode, folder: Path, service: Service
) -> None:
    truth = is_waiter(service)
    sector = {ad.id: str(ad.columns["sector"]) for ad in service.pool.all_ads()}
    month = {ad.id: str(ad.columns["date"])[:7] for ad in service.pool.all_ads()}
    ads = service.pool.column("ad_id")
    whole = read(folder, "whole").set_index("label").loc["gender"]
    assert whole["low"] < truth.mean() < whole["high"] < whole["raw"]
    for name, column, group_of in (
        ("by_sector", "sector", sector),
        ("by_month", "month", month),
    ):
        table = read(folder, name)
        table = table[table["label"] == "gender"].set_index(column)
        assert set(table.index) == set(group_of.values())
        for group, row in table.iterrows():
            share = truth[[group_of[ad] == group for ad in ads]].mean()
            assert row["low"] < share < row["high"], group
            assert row["raw"] > 1.3 * share


def test_the_figures_are_those_of_biasloop_without_a_model(
    executed: nbformat.NotebookNode, folder: Path, service: Service
) -> None:
    pool, number = measure_pool(service), service.campaign.scheme.labels.index("gender")
    sector = {ad.id: ad.columns["sector"] for ad in service.pool.all_ads()}
    of_item = np.array([sector[ad] for ad in service.pool.column("ad_id")[pool.rows]])
    table = read(folder, "by_sector").set_index(["label", "sector"])
    for group in np.unique(of_item):
        inside = (of_item == group).astype(float)
        audited = pool.audited(number, inside, inside)
        facts = {name: getattr(audited, name) for name in audited.__slots__}
        alone = AuditedItems(**facts | {"guess": np.zeros(len(audited))})
        share, row = estimate_share(alone, 0.0), table.loc[("gender", group)]
        assert share.interval is not None
        expected = (share.interval.value, share.interval.low, share.interval.high)
        assert tuple(row[["share", "low", "high"]]) == pytest.approx(expected, rel=1e-3)
        assert row["positives"] == share.positives


def test_the_model_makes_the_intervals_narrower(
    executed: nbformat.NotebookNode, folder: Path
) -> None:
    plain, by_model = (
        table[table["label"] == "gender"].set_index("sector")
        for table in (read(folder, "by_sector"), read(folder, "by_model"))
    )
    assert ((by_model["high"] - by_model["low"]) < (plain["high"] - plain["low"])).all()


def test_without_the_shares_by_biasloop_it_says_how_to_make_them(folder: Path) -> None:
    shares = folder / "prevalence.json"
    kept = shares.rename(folder / "kept.json")
    try:
        cells = execute(folder).cells
    finally:
        kept.rename(shares)
    printed = " ".join(o.get("text", "") for cell in cells for o in cell.get("outputs", ()))
    assert "biasloop prevalence --json --by sector > prevalence.json" in printed


def test_an_export_of_a_part_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "workspace", tmp_path / "workspace")
    cli = Cli(tmp_path / "workspace")
    cli("export", "--all", "--where", "sector=shop", "--to", tmp_path / "export")
    with pytest.raises(CellExecutionError, match="export with --all and no filter"):
        execute(tmp_path)


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet")
