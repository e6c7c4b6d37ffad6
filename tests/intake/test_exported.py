"""An export comes back as what it was, in every format and whatever stands in its cells."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.cells import defuse_formula, join_labels, restore_formula, split_labels
from biasloop.domain.item import Ad, Item, Origin, real_item, seed_item, synthetic_item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.split import Split, split_of
from biasloop.domain.votes.consensus import ConsensusMethod, ItemLabel, resolve_item_labels
from biasloop.errors import DataError
from biasloop.intake.ingest import ImportReport, import_file
from biasloop.plugins.exporters.tables import schema_of
from biasloop.plugins.registry import Kind, create
from biasloop.reports.export.columns import ADS, ITEMS, Dictionary, kinds
from biasloop.store.pool import ArrowPool

SEED = 7
FORMATS = ("csv", "parquet", "json", "jsonl")

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
cells = names | st.sampled_from(["a|b", "\\", "\\|", "[", "['a']", "[1]", "'=x", "=x", "|", "-"])


@given(st.lists(cells, min_size=1))
def test_labels_in_one_cell_come_back(labels: list[str]) -> None:
    assert split_labels(join_labels(labels)) == labels


@given(cells | st.text())
def test_formulas_come_back(cell: str) -> None:
    assert restore_formula(defuse_formula(cell)) == cell
    assert not defuse_formula(cell).startswith(("=", "+", "-", "@"))


class Workspace:
    """A pool and its annotations, with import and export."""

    def __init__(self, folder: Path, scheme: Scheme) -> None:
        self.folder, self.scheme = folder, scheme
        self.pool = ArrowPool(folder / "pool")
        self.annotations: dict[str, Annotation] = {}

    def labels(self) -> Mapping[str, ItemLabel]:
        votes = list(self.annotations.values())
        return resolve_item_labels(votes, self.scheme, ConsensusMethod.MAJORITY)

    def record(self, annotations: Sequence[Annotation]) -> None:
        self.annotations |= {annotation.key: annotation for annotation in annotations}

    def items(self) -> dict[str, Item]:
        return {item.id: item for item in self.pool.items(range(len(self.pool)))}

    def import_(self, path: Path, source: LabelSource | None = None) -> ImportReport:
        return import_file(
            path,
            pool=self.pool,
            scheme=self.scheme,
            unit="text",
            language="it",
            campaign_seed=SEED,
            label_source=source,
            columns={},
            record=self.record,
            now=datetime(2026, 5, 4, tzinfo=UTC),
            policy_id="p",
            rejects_folder=self.folder / "rejects",
            progress=lambda _: None,
            current_labels=self.labels,
        )

    def export(self, format: str) -> tuple[Path, Path]:
        """The tables of items and ads, as `biasloop export` writes them, or pandas after it."""
        labels = self.labels()
        items = [item_row(item, labels.get(item.id)) for item in self.items().values()]
        ads = [
            {"ad_id": a.id, "title": a.title, "text": a.text, "language": a.language,
             "source": a.source}
            for a in self.pool.all_ads()
        ]  # fmt: skip
        folder = self.folder / format
        folder.mkdir(exist_ok=True)
        tables = (("items", ITEMS, items), ("ads", ADS, ads))
        if format in ("csv", "parquet"):
            exporter = create(Kind.EXPORTER, format)
            paths = [
                exporter.write(name, kinds(columns), [batch(columns, rows)], folder)
                for name, columns, rows in tables
            ]
        else:
            paths = [folder / f"{name}.{format}" for name, *_ in tables]
            for path, (_, columns, rows) in zip(paths, tables, strict=True):
                frame = pd.DataFrame(rows, columns=list(columns))
                frame.to_json(path, orient="records", lines=format == "jsonl")
        return paths[0], paths[1]


def batch(columns: Dictionary, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema_of(kinds(columns)))


def item_row(item: Item, label: ItemLabel | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(ITEMS) | {
        "item_id": item.id, "text": item.text, "ad_id": item.ad_id or None, "start": item.start,
        "end": item.end, "origin": str(item.origin), "split": str(item.split),
        "roots": list(item.roots), "parents": list(item.parents),
        "operation": item.operation or None, "group": item.group or None, "policies": [],
    }  # fmt: skip
    if label:
        row |= {"labels": list(label.labels), "asked": list(label.asked)}
        row["label_source"] = str(label.source)
    return row


def annotation(
    item: Item, source: LabelSource, labels: Sequence[str], scheme: Scheme
) -> Annotation:
    return Annotation(
        key=f"{source}:{item.id}", item_id=item.id, source=source,
        standing=Standing.VOTE, labels=tuple(labels),
        asked=scheme.labels, policy_id="p", annotator="a", at=datetime(2026, 5, 4, tzinfo=UTC),
    )  # fmt: skip


def fill(workspace: Workspace, ad: Ad, labels: Sequence[str]) -> None:
    """A real item in the middle of an ad, a seed, and synthetic items of both."""
    real = real_item(ad, 1, len(ad.text), split_of(ad.id, SEED), "g|h")
    whole = real_item(ad, 0, len(ad.text), split_of(ad.id, SEED))
    seed = seed_item("seed:s", ad.text, "uffici")
    synthetic = [synthetic_item((seed,), f"{ad.text} e", "swap:x|y")]
    if real.split is Split.TRAIN:
        synthetic.append(synthetic_item((seed, real), f"{ad.text} o", "mix"))
    workspace.pool.append([real, whole, seed, *synthetic], [ad])
    sources = (LabelSource.HUMAN, LabelSource.SEED, LabelSource.CONSTRUCTED, LabelSource.LLM)
    items = (real, seed, *synthetic)
    pairs = zip(items, sources, strict=False)
    workspace.record([annotation(i, source, labels, workspace.scheme) for i, source in pairs])


ad_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=2, max_size=30
)


@pytest.mark.parametrize("format", FORMATS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=ad_texts | st.sampled_from(["=1+1", "'=1", "-x\r\ny", '"a', "[a]", "a,b;c\td"]),
    ad_id=cells.filter(lambda name: len(name) < 50),
    label=cells.filter(lambda name: name.strip() == name and len(name) < 50),
)
def test_an_export_comes_back_as_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, format: str, text: str, ad_id: str, label: str
) -> None:
    assume(text.strip() and text[1:].strip())
    assume(label not in ("eta", "altro"))
    scheme = Scheme((label, "eta"), multi=True, none_label="altro")
    before = Workspace(tmp_path_factory.mktemp("before"), scheme)
    fill(before, Ad(ad_id, text, language="it"), [label, "eta"])
    items, _ = before.export(format)
    known = before.items()

    report = before.import_(items)
    assert (report.ads, report.items, report.labelled, report.reasons) == (0, 0, 0, ())
    assert report.duplicates == len(known)
    assert before.items() == known

    elsewhere = Workspace(tmp_path_factory.mktemp("after"), scheme)
    elsewhere.pool.append([], before.pool.all_ads())
    report = elsewhere.import_(items)
    assert report.reasons == ()
    assert elsewhere.items() == known
    assert elsewhere.labels().keys() == before.labels().keys()
    for item_id, item_label in elsewhere.labels().items():
        assert item_label.source is before.labels()[item_id].source
        assert set(item_label.labels) == {label, "eta"}


SCHEME = Scheme(("IT | software", "vendite", "IT"), multi=True, none_label="altro")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "w", SCHEME)
    made.folder.mkdir()
    fill(made, Ad("ad-1", "Programmatore Java a Lecco."), ["IT | software", "vendite"])
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    (tmp_path / "e").mkdir()
    return Workspace(tmp_path / "e", SCHEME)


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_with_a_whole_export(workspace: Workspace, empty: Workspace, format: str) -> None:
    items, _ = workspace.export(format)
    (items.parent / "votes.csv").write_text("annotation,item_id,standing\nls:1,x,vote\n")
    report = empty.import_(items.parent)
    assert empty.items() == workspace.items()
    assert [part.partition(":")[0] for part in report.unread] == ["votes.csv"]
    with pytest.raises(DataError, match="not read back"):
        empty.import_(items.parent / "votes.csv")


@pytest.mark.parametrize("format", FORMATS)
def test_whose_labels_they_are_cannot_be_changed(workspace: Workspace, format: str) -> None:
    items, _ = workspace.export(format)
    before = dict(workspace.annotations)
    for source in (LabelSource.HUMAN, LabelSource.GOLD, LabelSource.SEED):
        with pytest.raises(DataError, match=f"not from {source}; leave out --label-source"):
            workspace.import_(items, source)
    assert workspace.annotations == before


def change(path: Path, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    frame = edit(pd.read_json(path, orient="records", lines=True, dtype=False))
    frame.to_json(path, orient="records", lines=True)
    return path


def test_labels_texts_and_origins_cannot_be_changed(workspace: Workspace) -> None:
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        labelled = frame.index[frame["label_source"].notna()]
        frame.at[labelled[0], "labels"] = ["IT"]
        frame.at[labelled[1], "text"] = "Un altro testo."
        frame.loc[labelled[2], "roots"] = None
        return frame

    known, before = workspace.items(), dict(workspace.annotations)
    report = workspace.import_(change(workspace.export("jsonl")[0], edit))
    second, third, first = report.reasons  # the form of rows is checked before their meaning
    assert "is labelled IT | software, vendite here, not IT; an import never changes" in first
    assert "were changed" in second
    assert "were changed" in third
    assert (workspace.items(), workspace.annotations) == (known, before)


def test_an_item_of_an_ad_that_is_not_there(workspace: Workspace, empty: Workspace) -> None:
    report = empty.import_(workspace.export("csv")[0])
    assert any("import the table of ads of the same export first" in r for r in report.reasons)
    assert {item.origin for item in empty.items().values()} <= set(Origin)


def test_labels_that_were_filled_in_need_a_source(workspace: Workspace) -> None:
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        (bare,) = frame.index[frame["label_source"].isna()]
        frame.at[bare, "labels"] = ["IT"]
        return frame.loc[[bare]]

    path = change(workspace.export("jsonl")[0], edit)
    assert "label_source is empty" in workspace.import_(path).reasons[0]
    assert workspace.import_(path, LabelSource.HUMAN).labelled == 1
    (item_id,) = [json.loads(path.read_text())["item_id"]]
    assert workspace.labels()[item_id].labels == ("IT",)


def test_a_text_that_was_taken_down_does_not_come_back(workspace: Workspace) -> None:
    items, ads = workspace.export("parquet")
    workspace.pool.erase("ad-1")
    before = dict(workspace.annotations)
    for path in (items, ads):
        report = workspace.import_(path)
        assert any("was taken down" in reason for reason in report.reasons)
    assert workspace.annotations == before
    gone = [item for item in workspace.items().values() if "ad-1" in item.roots]
    assert gone
    assert not any(item.text for item in gone)


def test_nothing_synthetic_of_an_audit_ad_becomes_training(
    workspace: Workspace, empty: Workspace
) -> None:
    ad = next(
        Ad(f"ad-{n}", "Testo.") for n in range(99) if split_of(f"ad-{n}", SEED) is Split.AUDIT
    )
    parent = real_item(ad, 0, 6, Split.TRAIN)  # as under another seed
    row = item_row(synthetic_item((parent,), "Testi.", "x"), None)
    path = empty.folder / "items.jsonl"
    path.write_text(json.dumps(row))
    assert "audit split" in empty.import_(path).reasons[0]
