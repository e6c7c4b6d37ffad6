"""The page of the shares of the pool."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from biasloop.service.service import Service
from biasloop.web.app import create_app
from support.audited_pool import audit, import_waiters
from support.workspaces import CopyBare


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    service = Service(copy_bare(tmp_path / "w", "job_ads_en"))
    import_waiters(service, tmp_path)
    yield service
    service.close()


@pytest.fixture
def page(service: Service) -> Iterator[TestClient]:
    client = TestClient(create_app(service, lambda: None), base_url="http://127.0.0.1")
    with client:
        yield client


def test_before_the_first_audit_label_it_says_what_is_missing(page: TestClient) -> None:
    assert "No audit item is labelled yet" in page.get("/prevalence").text
    assert 'href="/prevalence"' in page.get("/annotators").text


def test_shares_and_plots(page: TestClient, service: Service) -> None:
    audit(service, 120)
    text = page.get("/prevalence").text
    assert "From 120 labelled audit items" in text
    assert re.search(r"not estimable: about [0-9]+ audit labels are needed", text)
    (plot,) = (json.loads(found) for found in re.findall("data-plot='([^']*)'", text))
    (gender,) = (share for share in plot["shares"] if share["name"] == "gender")
    assert 0 < gender["low"] < gender["value"] < gender["high"] < 1
    assert f"{100 * gender['value']:.1f} %" in text
    of_ads = page.get("/prevalence?unit=ad").text
    assert "there are only bounds" in of_ads
    assert "between" in of_ads


def test_by_group_there_is_a_plot_for_each_label(page: TestClient, service: Service) -> None:
    audit(service, 150)
    text = page.get("/prevalence?by=sector").text
    plots = [json.loads(found) for found in re.findall("data-plot='([^']*)'", text)]
    (gender,) = (plot for plot in plots if plot["label"] == "gender")
    assert [share["name"] for share in gender["shares"]] == ["hotel", "shop"]
    assert "month:published" in text
    unknown = page.get("/prevalence?by=<b>")
    assert unknown.status_code == 404
    assert "nothing to group by under the name “&lt;b&gt;”" in unknown.text
    assert page.get("/prevalence?unit=word").status_code == 422
