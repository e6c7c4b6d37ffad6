"""Importing files: good rows in, bad rows out with a reason, nothing twice."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation
from biasloop.domain.item import Origin
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.split import Split, split_of
from biasloop.errors import DataError, WorkspaceError
from biasloop.intake import ingest
from biasloop.intake.ingest import ImportReport, import_file
from biasloop.intake.rows import MAX_CHARACTERS, Reject, Row, read_rows
from biasloop.store.pool import ArrowPool

SCHEME = Scheme(("gender", "age"), multi=True, none_label="inclusive")
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@dataclass
class Desk:
    """A pool and a ledger that keeps one version per key, and a way to import into them."""

    folder: Path
    said: dict[str, Annotation] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)

    @property
    def pool(self) -> ArrowPool:
        return ArrowPool(self.folder / "pool")

    def record(self, annotations: Sequence[Annotation]) -> None:
        self.calls.append(len(annotations))
        rows = self.pool.rows_of([annotation.item_id for annotation in annotations])
        assert (rows >= 0).all(), "labels come after their items"
        self.said |= {annotation.key: annotation for annotation in annotations}

    def write(self, name: str, content: str | bytes | Sequence[Mapping[str, Any]]) -> Path:
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        return path

    def take(
        self,
        path: Path,
        source: LabelSource = LabelSource.SEED,
        unit: Literal["sentence", "text"] = "sentence",
        columns: Mapping[str, str] | None = None,
    ) -> ImportReport:
        return import_file(
            path,
            pool=self.pool,
            scheme=SCHEME,
            unit=unit,
            language="it",
            campaign_seed=7,
            label_source=source,
            columns=columns or {},
            record=self.record,
            now=NOW,
            policy_id="p1",
            rejects_folder=self.folder / "rejects",
            progress=self.read.append,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def rejects(report: ImportReport) -> list[tuple[int, str]]:
    assert report.rejects_file is not None
    lines = report.rejects_file.read_text(encoding="utf-8").splitlines()
    return sorted((row["line"], row["reason"]) for row in map(json.loads, lines))


ADS = [
    {"id": "a1", "title": "Cuoco", "text": "Cercasi cuoco.\n• Turni serali;\n• Auto propria"},
    {"id": 2, "text": "Ufficio centrale cerca impiegata. Inviare CV.", "sector": "uffici"},
    {"text": "Annuncio senza numero."},
]


def test_ads_are_cut_into_sentences_with_their_offsets(desk: Desk) -> None:
    path = desk.write("ads.jsonl", ADS)
    assert desk.take(path) == ImportReport(3, 6, 0, 0, 0, None)
    items = desk.pool.items(range(6))
    assert [item.text for item in items] == [
        "Cercasi cuoco.",
        "Turni serali;",
        "Auto propria",
        "Ufficio centrale cerca impiegata.",
        "Inviare CV.",
        "Annuncio senza numero.",
    ]
    ads = desk.pool.ads(["a1", "2", items[5].ad_id])
    assert ads["a1"].title == "Cuoco"
    assert ads["a1"].language == "it"
    for item in items:
        assert ads[item.ad_id].text[item.start : item.end] == item.text
        assert item.split is split_of(item.ad_id, 7)
        assert item.origin is Origin.REAL
    assert items[3].group == "uffici"
    assert desk.said == {}
    assert desk.read[-1] == path.stat().st_size


def test_a_text_campaign_cuts_nothing(desk: Desk) -> None:
    assert desk.take(desk.write("ads.jsonl", ADS), unit="text").items == 3
    assert desk.pool.texts([1]) == [ADS[1]["text"]]


def test_the_same_file_again_adds_nothing(desk: Desk) -> None:
    path = desk.write("ads.jsonl", [*ADS, ADS[0]])
    assert desk.take(path).duplicates == 1
    manifest = (desk.folder / "pool" / "manifest.json").read_bytes()
    assert desk.take(path) == ImportReport(0, 0, 4, 0, 0, None)
    assert (desk.folder / "pool" / "manifest.json").read_bytes() == manifest


SEEDS = [
    {"id": "s1", "root": "s", "text": "- un ragazzo sveglio; età 20. Ok.", "sector": "bar",
     "labels": ["gender", "age"], "spans": [{"start": 5, "end": 12, "label": "gender"}],
     "rewrite": "una persona"},
    {"id": "s2", "text": "Ambo i sessi.", "label": "inclusive", "spans": [], "rewrite": None},
]  # fmt: skip


def test_seeds_come_whole_with_their_labels(desk: Desk) -> None:
    path = desk.write("seeds.jsonl", SEEDS)
    assert desk.take(path) == ImportReport(0, 2, 0, 0, 2, None)
    first, second = desk.pool.items([0, 1])
    assert first.text == SEEDS[0]["text"]
    assert (first.roots, second.roots) == (("seed:s",), ("seed:s2",))
    assert (first.origin, first.split, first.group) == (Origin.SEED, Split.TRAIN, "bar")
    said = desk.said[f"seed:{first.id}"]
    assert said.labels == ("gender", "age")
    assert said.asked == SCHEME.labels
    assert said.extra == {"spans": SEEDS[0]["spans"], "rewrite": "una persona"}
    assert (said.source, said.annotator, said.at) == (LabelSource.SEED, "seed", NOW)
    assert desk.said[f"seed:{second.id}"].extra == {}
    assert desk.take(path) == ImportReport(0, 0, 2, 0, 2, None)
    assert len(desk.said) == 2


def test_human_labels_come_on_real_items(desk: Desk) -> None:
    rows = [
        {"id": str(i), "text": f"Cercasi donna. Frase {i}.", "label": "gender"} for i in range(40)
    ]
    assert desk.take(desk.write("h.jsonl", rows), LabelSource.HUMAN).ads == 40
    items = desk.pool.items(range(40))
    assert {item.origin for item in items} == {Origin.REAL}
    assert {item.split for item in items} == set(Split), "human labels may be audited on"
    assert all(item.split is split_of(item.ad_id, 7) for item in items)
    said = desk.said[f"human:{items[0].id}"]
    assert (said.source, said.annotator, said.labels) == (LabelSource.HUMAN, "import", ("gender",))


def test_labels_come_in_thousands(desk: Desk) -> None:
    rows = [{"text": f"Frase {i}.", "label": "age"} for i in range(2500)]
    assert desk.take(desk.write("s.jsonl", rows)).labelled == 2500
    assert desk.calls == [1000, 1000, 500]


@pytest.mark.parametrize("stop", ["pool", "ledger"])
def test_an_import_that_dies_is_mended_by_importing_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    monkeypatch.setattr(ingest, "BATCH_ROWS", 2)
    path = desk.write(
        "mixed.jsonl", [*SEEDS, *ADS, *(s | {"text": f"{s['text']} 2"} for s in SEEDS)]
    )

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        if stop == "ledger":
            broken.setattr(desk, "record", die)
        else:
            broken.setattr(ArrowPool, "_commit", die)
        with pytest.raises(KeyboardInterrupt):
            desk.take(path)
    assert desk.said == {}
    desk.take(path)
    whole = Desk(desk.folder / "whole")
    whole.folder.mkdir()
    whole.take(path)
    assert sorted(desk.pool.column("id")) == sorted(whole.pool.column("id"))
    assert desk.said.keys() == whole.said.keys()


# --- bad rows ---------------------------------------------------------------------------------

GOOD = b'{"id": "ok", "text": "Va bene."}'
BAD_LINES = [
    (b'{"id": "x", "text": ""}', "no text"),
    (b'{"id": "x", "text": " \\n "}', "no text"),
    (b'{"id": "x"}', "no text"),
    (b'{"id": "x", "text": "perch\xe9 no"}', "not UTF-8; save the file as UTF-8"),
    (b'{"text": "met\\ud83d."}', "half a surrogate pair in text"),
    (b'{"text": "nul\\u0000lo."}', "a NUL character in text"),
    (b'{"text": "Una frase"', "broken JSON: Expecting ',' delimiter at character 20"),
    (b"[" * 100_000, "broken JSON: a number too long, or nested too deeply"),
    (b'["Una frase"]', "not a JSON object"),
    (b'{"text": ["Una frase"]}', "text is not a text"),
    (b'{"text": "%s"}' % (b"x" * (MAX_CHARACTERS + 1)), "text has 100001 characters, over 100000"),
    (b'{"text": "Frase.", "id": "%s"}' % (b"x" * 201), "id has 201 characters, over 200"),
    (b'{"text": "Frase.", "label": true}', "label is not a text"),
    (b'{"text": "Frase.", "label": "boh"}',
     "a label outside the scheme: boh; the labels are: gender, age, inclusive"),
    (b'{"text": "Frase.", "labels": []}',
     "nothing chosen: no label; the labels are: gender, age, inclusive"),
    (b'{"text": "Frase.", "labels": ["age", "inclusive"]}',
     "the negative label together with another: age, inclusive; "
     "the labels are: gender, age, inclusive"),
    (b'{"text": "Frase.", "label": "age", "spans": {}, "x": 1}', None),
    (b'{"text": "Frase.", "label": "age", "spans": "x"}', "spans is not JSON"),
    (b'{"text": "Frase.", "label": "age", "spans": {"a": 1}}', "spans is not a list"),
    (b'{"text": "Frase.", "label": "age", "spans": [NaN]}', "spans is not JSON"),
    (b'{"text": "Frase.", "label": "age", "spans": ["\\u0000"]}', "a NUL character in spans"),
    (b'{"text": "2024 - 12"}', "no sentence in the text"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_is_rejected_and_the_rest_imported(
    desk: Desk, line: bytes, reason: str | None
) -> None:
    report = desk.take(desk.write("bad.jsonl", GOOD + b"\n\n" + line + b"\r\n" + GOOD))
    assert report.ads == 1
    if reason is None:
        assert report.rejects_file is None
        return
    assert rejects(report) == [(3, reason)]
    assert report.duplicates == 1
    assert report.rejects_file == desk.folder / "rejects" / "bad-20260504T030201.rejects.jsonl"
    written = json.loads(report.rejects_file.read_text())
    assert len(written["excerpt"]) <= 200


def test_an_endless_line_is_one_reject(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biasloop.intake.files.MAX_LINE", 100)
    report = desk.take(desk.write("bad.jsonl", b'{"text": "' + b"x" * 1000 + b'"}\n' + GOOD))
    assert rejects(report) == [(1, "a line of over 100 characters")]
    assert report.ads == 1


def test_an_ad_that_comes_with_another_text_is_rejected(desk: Desk) -> None:
    first = desk.write("first.jsonl", ADS)
    desk.take(first)
    other = [
        {"id": "a1", "text": "Altro."},
        {"id": "n", "text": "Uno."},
        {"id": "n", "text": "Due."},
    ]
    assert rejects(desk.take(desk.write("other.jsonl", other))) == [
        (1, "ad 'a1' came before with another text; give this one another id"),
        (3, "ad 'n' came before with another text; give this one another id"),
    ]
    desk.pool.erase("a1")
    assert rejects(desk.take(first)) == [(1, "ad 'a1' was taken down; it stays out")]
    assert desk.pool.texts([0]) == [""]


def test_a_text_that_comes_with_other_labels_is_rejected(desk: Desk) -> None:
    rows = [{"text": "Frase.", "label": "age"}, {"text": "Frase.", "labels": ["age"]}]
    report = desk.take(desk.write("s.jsonl", [*rows, {"text": "Frase.", "label": "gender"}]))
    assert rejects(report) == [(3, "line 1 has the same text with other labels: age")]
    assert [said.labels for said in desk.said.values()] == [("age",)]


# --- CSV --------------------------------------------------------------------------------------


def test_csv_with_a_byte_order_mark_semicolons_and_mapped_columns(desk: Desk) -> None:
    content = (
        "\ufeffcodice;annuncio;etichette;spans\r\n"
        '7;"Cercasi ""cuoco"";\r\ncon auto.";gender|age;"[{""start"": 1}]"\r\n'
        "\r\n"
        "8;Testo libero. Due frasi.\r\n"
    )
    columns = {"id": "codice", "text": "annuncio", "labels": "etichette"}
    rows = list(read_rows(desk.write("a.csv", content.encode()), columns))
    assert rows == [
        Row(2, 'Cercasi "cuoco";\r\ncon auto.', "7", labels=("gender", "age"),
            extra={"spans": [{"start": 1}]}),
        Row(5, "Testo libero. Due frasi.", "8"),
    ]  # fmt: skip
    assert desk.take(desk.folder / "a.csv", columns=columns) == ImportReport(1, 3, 0, 0, 1, None)


def test_bad_csv_rows_are_rejected_and_the_rest_imported(desk: Desk) -> None:
    lines = [b"id,text,label", b"1,Uno.,", b"2,Due.,,extra", b"3,perch\xe9,", b"4,,", b"5,nul\0lo,"]
    lines += [b"6,%s," % (b"x" * 140_000), b"7,Sette.,boh", b"8,Otto.,age"]
    report = desk.take(desk.write("a.csv", b"\n".join(lines)))
    assert rejects(report) == [
        (3, "4 columns where the header has 3"),
        (4, "not UTF-8; save the file as UTF-8"),
        (5, "no text"),
        (6, "a NUL character in text"),
        (7, "broken CSV: field larger than field limit (131072)"),
        (8, "a label outside the scheme: boh; the labels are: gender, age, inclusive"),
    ]
    assert (report.ads, report.labelled) == (1, 1)


def test_a_label_with_a_bar_is_one_label_unless_there_may_be_several(desk: Desk) -> None:
    rows = read_rows(desk.write("a.tsv", "text\tlabel\tlabels\nUna\ta|b\t\nDue\t\ta | b\n"))
    assert [row.labels for row in rows if isinstance(row, Row)] == [("a|b",), ("a", "b")]


# --- files that cannot be read at all -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("gone.jsonl", None, {}, "cannot read .*gone.jsonl: No such file"),
        ("a.xlsx", b"", {}, "cannot tell what .*a.xlsx is .* one of: .jsonl"),
        ("a.csv", b"id,testo\n1,x\n", {}, r"no column text; it has: id, testo.*--column text=NAME"),
        ("a.csv", b"", {}, "no column text; it has: "),
        ("a.csv", b"text\nx\n", {"id": "nr"}, "no column nr; it has: text"),
        ("a.jsonl", b"", {"txt": "x"}, "no field txt to map a column to; known: id, title, text"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    desk: Desk, name: str, content: bytes | None, columns: dict[str, str], message: str
) -> None:
    path = desk.folder / name if content is None else desk.write(name, content)
    with pytest.raises(DataError, match=message):
        desk.take(path, columns=columns)


def test_a_folder_without_a_file_says_what_is_known(desk: Desk) -> None:
    (desk.folder / "x.csv").mkdir()
    with pytest.raises(DataError, match=r"folder without a file to import; known are .*parquet"):
        desk.take(desk.folder / "x.csv")


# --- Parquet, plain text, folders, saved datasets ------------------------------------------------

TABLE = {
    "id": ["a", "b", "c"],
    "text": ["Uno. Due.", None, "Tre."],
    "labels": [None, ["age"], ["gender", "age"]],
}


def test_parquet_comes_as_jsonl_would(desk: Desk) -> None:
    path = desk.folder / "a.parquet"
    pd.DataFrame(TABLE).to_parquet(path)
    report = desk.take(path)
    assert rejects(report) == [(2, "no text")]
    assert (report.ads, report.items, report.labelled) == (1, 3, 1)
    assert {said.labels for said in desk.said.values()} == {("gender", "age")}
    assert desk.read[-1] == path.stat().st_size


def test_a_text_file_is_an_ad_and_a_folder_of_them_many(desk: Desk) -> None:
    folder = desk.folder / "ads"
    (folder / "più").mkdir(parents=True)
    (folder / "uno.txt").write_text("Cercasi cuoco.\nTurni serali.", encoding="utf-8-sig")
    (folder / "più" / "due.txt").write_text("Cercasi barista.")
    (folder / "tre.txt").write_bytes(b"perch\xe9")
    assert desk.take(folder / "uno.txt") == ImportReport(1, 2, 0, 0, 0, None)
    report = desk.take(folder)
    assert (report.ads, report.duplicates) == (1, 1)
    assert rejects(report) == [(1, "not UTF-8; save the file as UTF-8")]
    assert set(desk.pool.ads(["uno", "due"])) == {"uno", "due"}


def test_a_folder_gives_the_tables_below_it(desk: Desk) -> None:
    folder = desk.folder / "hub"
    (folder / "data").mkdir(parents=True)
    pd.DataFrame(TABLE).to_parquet(folder / "data" / "train-00000.parquet")
    (folder / "more.jsonl").write_text('{"id": "z", "text": "Zero."}\n{broken\n')
    (folder / "README.txt").write_text("Not an ad.")
    report = desk.take(folder)
    assert (report.ads, report.rejects) == (2, 2)
    assert any(reason.startswith("more.jsonl: broken JSON") for _, reason in rejects(report))


@pytest.mark.parametrize("splits", [False, True])
def test_a_saved_dataset_gives_its_rows_and_the_names_of_its_classes(
    desk: Desk, splits: bool
) -> None:
    data = Dataset.from_dict(
        {"text": ["Uno.", "Due.", "Tre."], "label": [1, 0, -1]},
        features=Features({"text": Value("string"), "label": ClassLabel(names=["age", "gender"])}),
    )
    found = (
        DatasetDict({"train": data.select([0, 1]), "test": data.select([2])}) if splits else data
    )
    found.save_to_disk(str(desk.folder / "saved"))
    report = desk.take(desk.folder / "saved")
    assert (report.items, report.labelled, report.rejects) == (3, 2, 0)
    assert [said.labels for said in desk.said.values()] == [("gender",), ("age",)]


@pytest.mark.parametrize("damage", ["cut", "column"])
def test_a_damaged_table_says_why(desk: Desk, damage: str) -> None:
    path = desk.folder / "a.parquet"
    pd.DataFrame(TABLE).rename(columns={"text": "testo"}).to_parquet(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    wrong = {"cut": "is no whole Parquet file", "column": r"no column text; it has: id, testo"}
    with pytest.raises(DataError, match=wrong[damage]):
        desk.take(path)


def test_a_damaged_saved_dataset_says_why(desk: Desk) -> None:
    Dataset.from_dict({"text": ["Uno."]}).save_to_disk(str(desk.folder / "saved"))
    for file in (desk.folder / "saved").glob("*.arrow"):
        file.unlink()
    with pytest.raises(DataError, match=r"is no whole saved dataset|cannot read"):
        desk.take(desk.folder / "saved")


def test_rejects_that_cannot_be_written_stop_the_import(desk: Desk) -> None:
    (desk.folder / "rejects").write_text("in the way")
    with pytest.raises(WorkspaceError, match=r"cannot write .*rejects\.jsonl"):
        desk.take(desk.write("bad.jsonl", b"{"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([line for line, _ in BAD_LINES[:4]])))
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_any_bytes_are_read_to_the_end(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("any") / f"any.{suffix}"
    path.write_bytes(b"\n".join([b"id,text", *lines, b"ok,Bene."]))
    found = list(read_rows(path))
    assert all(isinstance(row, Row | Reject) for row in found)
    for row in found:
        if isinstance(row, Row):
            row.text.encode()


def test_importing_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'datasets', 'pyarrow'}"
    check = f"import biasloop.intake.ingest, sys; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
