"""Importing files: good rows are added once, bad rows are rejected with a reason."""

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
from biasloop.domain.item import Ad, Origin, item_id, real_item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.split import Split, split_of
from biasloop.errors import DataError, WorkspaceError
from biasloop.intake import ingest
from biasloop.intake.ingest import ImportReport, import_file
from biasloop.intake.markup import Markup
from biasloop.intake.rejects import drop_rejects_of
from biasloop.intake.rows import MAX_CHARACTERS, Reject, Row, read_rows
from biasloop.intake.sentences import sentences
from biasloop.store.pool import ArrowPool

SCHEME = Scheme(("gender", "age"), multi=True, none_label="inclusive")
NOT_UTF_8 = "not UTF-8; save the file as UTF-8, or name its encoding, e.g. --encoding cp1252"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@dataclass
class Importer:
    """A pool and a ledger that keeps one version per key, and a way to import into them."""

    folder: Path
    recorded: dict[str, Annotation] = field(default_factory=dict)
    record_sizes: list[int] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    markup: Markup = "clean"

    @property
    def pool(self) -> ArrowPool:
        return ArrowPool(self.folder / "pool")

    def record(self, annotations: Sequence[Annotation]) -> None:
        self.record_sizes.append(len(annotations))
        rows = self.pool.rows_of([annotation.item_id for annotation in annotations])
        assert (rows >= 0).all(), "labels are recorded after their items"
        self.recorded |= {annotation.key: annotation for annotation in annotations}

    def write(self, name: str, content: str | bytes | Sequence[Mapping[str, Any]]) -> Path:
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        return path

    def import_(
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
            progress=self.progress.append,
            markup=self.markup,
        )


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def rejects(report: ImportReport) -> list[tuple[int, str]]:
    assert report.rejects_file is not None
    lines = report.rejects_file.read_text(encoding="utf-8").splitlines()
    return sorted((row["line"], row["reason"]) for row in map(json.loads, lines))


ADS = [
    {"id": "a1", "title": "Cuoco", "text": "Cercasi cuoco.\n• Turni serali;\n• Auto propria"},
    {"id": 2, "text": "Ufficio centrale cerca impiegata. Inviare CV.", "sector": "uffici"},
    {"text": "Annuncio senza numero."},
]


def test_ads_are_cut_into_sentences_with_their_offsets(importer: Importer) -> None:
    path = importer.write("ads.jsonl", ADS)
    assert importer.import_(path) == ImportReport(3, 6, 0, 0, 0, None, columns=("sector",))
    items = importer.pool.items(range(6))
    assert [item.text for item in items] == [
        "Cercasi cuoco.",
        "Turni serali;",
        "Auto propria",
        "Ufficio centrale cerca impiegata.",
        "Inviare CV.",
        "Annuncio senza numero.",
    ]
    ads = importer.pool.ads(["a1", "2", items[5].ad_id])
    assert ads["a1"].title == "Cuoco"
    assert ads["a1"].language == "it"
    for item in items:
        assert ads[item.ad_id].text[item.start : item.end] == item.text
        assert item.split is split_of(item.ad_id, 7)
        assert item.origin is Origin.REAL
    assert items[3].group == "uffici"
    assert importer.recorded == {}
    assert importer.progress[-1] == path.stat().st_size


def test_texts_are_not_cut_if_the_unit_is_text(importer: Importer) -> None:
    assert importer.import_(importer.write("ads.jsonl", ADS), unit="text").items == 3
    assert importer.pool.texts([1]) == [ADS[1]["text"]]


def test_the_same_file_again_adds_nothing(importer: Importer) -> None:
    path = importer.write("ads.jsonl", [*ADS, ADS[0]])
    assert importer.import_(path).duplicates == 1
    manifest = (importer.folder / "pool" / "manifest.json").read_bytes()
    assert importer.import_(path) == ImportReport(0, 0, 4, 0, 0, None)
    assert (importer.folder / "pool" / "manifest.json").read_bytes() == manifest


HTML = [
    {
        "id": "h1",
        "text": "<p>Si cerca <b>una cameriera</b>.</p><ul><li>Et&agrave; 30 anni</li></ul>",
    },
    {"text": "Cercasi commessa.<br>Età 20-30 anni."},
    {"id": "plain", "text": "Cercasi cuoco."},
]


def test_html_is_taken_away(importer: Importer) -> None:
    path = importer.write("ads.jsonl", HTML)
    assert importer.import_(path) == ImportReport(3, 5, 0, 0, 0, None, cleaned=2)
    assert importer.pool.texts(range(5)) == [
        "Si cerca una cameriera.",
        "Età 30 anni",
        "Cercasi commessa.",
        "Età 20-30 anni.",
        "Cercasi cuoco.",
    ]
    assert importer.import_(path) == ImportReport(0, 0, 3, 0, 0, None, cleaned=2)


def test_html_is_rejected_if_so_set(importer: Importer) -> None:
    importer.markup = "refuse"
    report = importer.import_(importer.write("ads.jsonl", HTML))
    assert (report.ads, report.rejects) == (1, 2)
    assert "intake.markup" in rejects(report)[0][1]


def test_what_was_imported_with_its_html_stays(importer: Importer) -> None:
    path = importer.write("ads.jsonl", HTML)
    importer.markup = "keep"
    importer.import_(path)
    before = importer.pool.texts(range(len(importer.pool)))
    importer.markup = "clean"
    assert importer.import_(path) == ImportReport(0, 0, 3, 0, 0, None, cleaned=2)
    assert importer.pool.texts(range(len(importer.pool))) == before


def test_an_ad_that_was_cut_otherwise_is_not_cut_again(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = importer.write("ads.jsonl", ADS)
    monkeypatch.setattr(
        "biasloop.intake.importer.sentences", lambda text, language: [(0, 7), (8, len(text))]
    )
    importer.import_(path)
    before = importer.pool.texts(range(len(importer.pool)))
    monkeypatch.undo()
    other = {"id": "new", "text": "Cercasi sarto. Inviare CV."}
    path = importer.write("again.jsonl", [*ADS, other])
    assert importer.import_(path) == ImportReport(1, 2, 3, 0, 0, None)
    assert importer.pool.texts(range(len(before))) == before


OLD = "Requisiti:\nCercasi cameriera\nche conosca l’inglese."


def test_headings_are_context_and_halves_are_one_item(importer: Importer) -> None:
    path = importer.write("ads.jsonl", [{"id": "a", "text": OLD}])
    assert importer.import_(path) == ImportReport(1, 1, 0, 0, 0, None)
    (item,) = importer.pool.items([0])
    assert item.text == OLD[item.start : item.end] == "Cercasi cameriera\nche conosca l’inglese."
    assert importer.pool.ads(["a"])["a"].text == OLD


@pytest.mark.parametrize(
    ("row", "known_as"),
    [({"id": "a"}, "a"), ({"id": "1.0"}, "1.0"), ({"ad_id": "a"}, "a"), ({"ad_id": "b"}, "")],
)
def test_an_ad_that_an_earlier_version_cut_keeps_its_items(
    importer: Importer, row: dict[str, str], known_as: str
) -> None:
    """Also if its id is read otherwise today, and its first item was a heading."""
    ad = Ad(known_as or item_id("", 0, len(OLD), OLD), OLD, language="it")
    split = split_of(ad.id, 7)
    places = [(0, 10), (11, 28), (29, len(OLD))]
    importer.pool.append([real_item(ad, *place, split) for place in places], [ad])
    report = importer.import_(importer.write("again.jsonl", [row | {"text": OLD}]))
    assert report == ImportReport(0, 0, 1, 0, 0, None)
    assert len(importer.pool) == 3


def test_an_interrupted_import_is_completed(importer: Importer) -> None:
    ad = Ad("a1", str(ADS[0]["text"]), "Cuoco", "it")
    start, end = sentences(ad.text, "it")[0]
    importer.pool.append([real_item(ad, start, end, split_of("a1", 7))], [ad])
    assert importer.import_(importer.write("ads.jsonl", ADS[:1])).items == 2


SEEDS = [
    {"id": "s1", "root": "s", "text": "- un ragazzo sveglio; età 20. Ok.", "sector": "bar",
     "labels": ["gender", "age"], "spans": [{"start": 5, "end": 12, "label": "gender"}],
     "rewrite": "una persona"},
    {"id": "s2", "text": "Ambo i sessi.", "label": "inclusive", "spans": [], "rewrite": None},
]  # fmt: skip


def test_seeds_are_not_cut_and_have_their_labels(importer: Importer) -> None:
    path = importer.write("seeds.jsonl", SEEDS)
    assert importer.import_(path) == ImportReport(0, 2, 0, 0, 2, None)
    first, second = importer.pool.items([0, 1])
    assert first.text == SEEDS[0]["text"]
    assert (first.roots, second.roots) == (("seed:s",), ("seed:s2",))
    assert (first.origin, first.split, first.group) == (Origin.SEED, Split.TRAIN, "bar")
    annotation = importer.recorded[f"seed:{first.id}"]
    assert annotation.labels == ("gender", "age")
    assert annotation.asked == SCHEME.labels
    assert annotation.extra == {"spans": SEEDS[0]["spans"], "rewrite": "una persona"}
    assert (annotation.source, annotation.annotator, annotation.at) == (
        LabelSource.SEED,
        "seed",
        NOW,
    )
    assert importer.recorded[f"seed:{second.id}"].extra == {}
    assert importer.import_(path) == ImportReport(0, 0, 2, 0, 2, None)
    assert len(importer.recorded) == 2


def test_human_labels_are_imported_on_real_items(importer: Importer) -> None:
    rows = [
        {"id": str(i), "text": f"Cercasi donna. Frase {i}.", "label": "gender"} for i in range(40)
    ]
    assert importer.import_(importer.write("h.jsonl", rows), LabelSource.HUMAN).ads == 40
    items = importer.pool.items(range(40))
    assert {item.origin for item in items} == {Origin.REAL}
    assert {item.split for item in items} == set(Split), "human labels occur in both splits"
    assert all(item.split is split_of(item.ad_id, 7) for item in items)
    annotation = importer.recorded[f"human:{items[0].id}"]
    assert (annotation.source, annotation.annotator, annotation.labels) == (
        LabelSource.HUMAN,
        "import",
        ("gender",),
    )


def test_labels_are_recorded_a_thousand_at_a_time(importer: Importer) -> None:
    rows = [{"text": f"Frase {i}.", "label": "age"} for i in range(2500)]
    assert importer.import_(importer.write("s.jsonl", rows)).labelled == 2500
    assert importer.record_sizes == [1000, 1000, 500]


@pytest.mark.parametrize("stop", ["pool", "ledger"])
def test_an_interrupted_import_is_completed_by_importing_again(
    importer: Importer, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    monkeypatch.setattr(ingest, "BATCH_ROWS", 2)
    path = importer.write(
        "mixed.jsonl", [*SEEDS, *ADS, *(s | {"text": f"{s['text']} 2"} for s in SEEDS)]
    )

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        if stop == "ledger":
            broken.setattr(importer, "record", die)
        else:
            broken.setattr(ArrowPool, "_commit", die)
        with pytest.raises(KeyboardInterrupt):
            importer.import_(path)
    assert importer.recorded == {}
    importer.import_(path)
    uninterrupted = Importer(importer.folder / "whole")
    uninterrupted.folder.mkdir()
    uninterrupted.import_(path)
    assert sorted(importer.pool.column("id")) == sorted(uninterrupted.pool.column("id"))
    assert importer.recorded.keys() == uninterrupted.recorded.keys()


# --- bad rows ---------------------------------------------------------------------------------

GOOD = b'{"id": "ok", "text": "Va bene."}'
BAD_LINES = [
    (b'{"id": "x", "text": ""}', "no text"),
    (b'{"id": "x", "text": " \\n "}', "no text"),
    (b'{"id": "x"}', "no column text; it has: id"),
    (b'{"id": "x", "text": "perch\xe9 no"}', NOT_UTF_8),
    (b'{"text": "met\\ud83d."}', "text contains half a surrogate pair"),
    (b'{"text": "nul\\u0000lo."}', "text contains a NUL character"),
    (b'{"text": "Una frase"', "broken JSON: Expecting ',' delimiter at character 20"),
    (b"[" * 100_000, "broken JSON: a number is too long, or nesting too deep"),
    (b'["Una frase"]', "not a JSON object"),
    (b'{"text": ["Una frase"]}', "text is not a string"),
    (b'{"text": "%s"}' % (b"x" * (MAX_CHARACTERS + 1)),
     "text has 100001 characters, more than 100000"),
    (b'{"text": "Frase.", "id": "%s"}' % (b"x" * 201), "id has 201 characters, more than 200"),
    (b'{"text": "Frase.", "label": true}', "label is not a string"),
    (b'{"text": "Frase.", "label": "boh"}',
     "a label outside the scheme: boh; the labels are: gender, age, inclusive"),
    (b'{"text": "Frase.", "labels": []}',
     "nothing chosen: no label; the labels are: gender, age, inclusive"),
    (b'{"text": "Frase.", "labels": ["age", "inclusive"]}',
     "the negative label together with another: age, inclusive; "
     "the labels are: gender, age, inclusive"),
    (b'{"text": "Frase.", "label": "age", "spans": {}, "x": 1}', None),
    (b'{"text": "Frase.", "label": "age", "spans": "x"}', "spans is not valid JSON"),
    (b'{"text": "Frase.", "label": "age", "spans": {"a": 1}}', "spans is not a list"),
    (b'{"text": "Frase.", "label": "age", "spans": [NaN]}', "spans is not valid JSON"),
    (b'{"text": "Frase.", "label": "age", "spans": ["\\u0000"]}', "spans contains a NUL character"),
    (b'{"text": "2024 - 12"}', "no sentence in the text"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_is_rejected_and_the_rest_imported(
    importer: Importer, line: bytes, reason: str | None
) -> None:
    report = importer.import_(importer.write("bad.jsonl", GOOD + b"\n\n" + line + b"\r\n" + GOOD))
    assert report.ads == 1
    if reason is None:
        assert report.rejects_file is None
        return
    assert rejects(report) == [(3, reason)]
    assert report.duplicates == 1
    assert report.rejects_file == importer.folder / "rejects" / "bad-20260504T030201.rejects.jsonl"
    written = json.loads(report.rejects_file.read_text())
    assert len(written["excerpt"]) <= 200


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("excess", [0, 1, 2, 3, 50])
def test_a_line_may_have_as_many_characters_as_the_limit_says(
    importer: Importer, monkeypatch: pytest.MonkeyPatch, ending: bytes, excess: int
) -> None:
    monkeypatch.setattr("biasloop.intake.json_records.MAX_LINE", 100)
    line = b'{"id": "x", "text": "%s"}' % (b"x" * (100 - 23 + excess))
    report = importer.import_(importer.write("a.jsonl", line + ending + (GOOD if ending else b"")))
    assert (report.ads + report.rejects) == (2 if ending else 1)
    assert report.rejects == (excess > 0)
    if excess:
        reason = 'the line (id "x") has more than 100 characters'
        assert rejects(report) == [(1, reason)]


def test_a_line_that_is_too_long_is_one_reject(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biasloop.intake.json_records.MAX_LINE", 100)
    report = importer.import_(
        importer.write("bad.jsonl", b'{"text": "' + b"x" * 1000 + b'"}\n' + GOOD)
    )
    assert rejects(report) == [(1, "the line has more than 100 characters")]
    assert report.ads == 1


def test_an_ad_with_a_different_text_is_rejected(importer: Importer) -> None:
    first = importer.write("first.jsonl", ADS)
    importer.import_(first)
    other = [
        {"id": "a1", "text": "Altro."},
        {"id": "n", "text": "Uno."},
        {"id": "n", "text": "Due."},
    ]
    assert rejects(importer.import_(importer.write("other.jsonl", other))) == [
        (1, "ad 'a1' exists with a different text; give this one another id"),
        (3, "ad 'n' exists with a different text; give this one another id"),
    ]
    importer.pool.erase("a1")
    assert rejects(importer.import_(first)) == [
        (1, "ad 'a1' was taken down and cannot be imported again")
    ]
    assert importer.pool.texts([0]) == [""]


def test_a_text_with_different_labels_is_rejected(importer: Importer) -> None:
    rows = [{"text": "Frase.", "label": "age"}, {"text": "Frase.", "labels": ["age"]}]
    report = importer.import_(
        importer.write("s.jsonl", [*rows, {"text": "Frase.", "label": "gender"}])
    )
    assert rejects(report) == [(3, "line 1 has the same text with other labels: age")]
    assert [annotation.labels for annotation in importer.recorded.values()] == [("age",)]


# --- CSV --------------------------------------------------------------------------------------


def test_csv_with_a_byte_order_mark_semicolons_and_mapped_columns(importer: Importer) -> None:
    content = (
        "\ufeffcodice;annuncio;etichette;spans\r\n"
        '7;"Cercasi ""cuoco"";\r\ncon auto.";gender|age;"[{""start"": 1}]"\r\n'
        "\r\n"
        "8;Testo libero. Due frasi.\r\n"
    )
    columns = {"id": "codice", "text": "annuncio", "labels": "etichette"}
    rows = list(read_rows(importer.write("a.csv", content.encode()), columns))
    assert rows == [
        Row(2, 'Cercasi "cuoco";\r\ncon auto.', "7", labels=("gender", "age"),
            extra={"spans": [{"start": 1}]}),
        Row(5, "Testo libero. Due frasi.", "8"),
    ]  # fmt: skip
    assert importer.import_(importer.folder / "a.csv", columns=columns) == ImportReport(
        1, 3, 0, 0, 1, None
    )


def test_bad_csv_rows_are_rejected_and_the_rest_imported(importer: Importer) -> None:
    lines = [b"id,text,label", b"1,Uno.,", b"2,Due.,,extra", b"3,perch\xe9,", b"4,,", b"5,nul\0lo,"]
    lines += [b"6,%s," % (b"x" * 140_000), b"7,Sette.,boh", b"8,Otto.,age"]
    report = importer.import_(importer.write("a.csv", b"\n".join(lines)))
    assert rejects(report) == [
        (3, "the row has 4 columns, the header only 3"),
        (4, NOT_UTF_8),
        (5, "no text"),
        (6, "text contains a NUL character"),
        (7, "broken CSV: field larger than field limit (131072)"),
        (8, "a label outside the scheme: boh; the labels are: gender, age, inclusive"),
    ]
    assert (report.ads, report.labelled) == (1, 1)


def test_only_the_field_labels_is_split_at_bars(importer: Importer) -> None:
    rows = read_rows(importer.write("a.tsv", "text\tlabel\tlabels\nUna\ta|b\t\nDue\t\ta | b\n"))
    assert [row.labels for row in rows if isinstance(row, Row)] == [("a|b",), ("a", "b")]


# --- files that cannot be read at all -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("gone.jsonl", None, {}, "cannot read .*gone.jsonl: No such file"),
        ("a.pdf", b"", {}, "cannot read .*a.pdf: its suffix must be one of: .jsonl"),
        ("a.csv", b"id,testo\n1,x\n", {}, r"no column text; it has: id, testo.*--column text=NAME"),
        ("a.csv", b"", {}, "no column text; it has: "),
        ("a.csv", b"text\nx\n", {"id": "nr"}, "no column nr; it has: text"),
        ("a.jsonl", b"", {"txt": "x"}, "no field txt; columns can be mapped to: id, title, text"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    importer: Importer, name: str, content: bytes | None, columns: dict[str, str], message: str
) -> None:
    path = importer.folder / name if content is None else importer.write(name, content)
    with pytest.raises(DataError, match=message):
        importer.import_(path, columns=columns)


def test_a_folder_without_files_says_what_is_supported(importer: Importer) -> None:
    (importer.folder / "x.csv").mkdir()
    with pytest.raises(DataError, match=r"holds no file to import; supported are .*parquet"):
        importer.import_(importer.folder / "x.csv")


# --- Parquet, plain text, folders, saved datasets ------------------------------------------------

TABLE = {
    "id": ["a", "b", "c"],
    "text": ["Uno. Due.", None, "Tre."],
    "labels": [None, ["age"], ["gender", "age"]],
}


def test_parquet_is_imported_like_jsonl(importer: Importer) -> None:
    path = importer.folder / "a.parquet"
    pd.DataFrame(TABLE).to_parquet(path)
    report = importer.import_(path)
    assert rejects(report) == [(2, "no text")]
    assert (report.ads, report.items, report.labelled) == (1, 3, 1)
    assert {annotation.labels for annotation in importer.recorded.values()} == {("gender", "age")}
    assert importer.progress[-1] == path.stat().st_size


def test_text_files_are_one_ad_each(importer: Importer) -> None:
    folder = importer.folder / "ads"
    (folder / "più").mkdir(parents=True)
    (folder / "uno.txt").write_text("Cercasi cuoco.\nTurni serali.", encoding="utf-8-sig")
    (folder / "più" / "due.txt").write_text("Cercasi barista.")
    (folder / "tre.txt").write_bytes(b"perch\xe9")
    assert importer.import_(folder / "uno.txt") == ImportReport(1, 2, 0, 0, 0, None)
    report = importer.import_(folder)
    assert (report.ads, report.duplicates) == (1, 1)
    assert rejects(report) == [(1, f"tre.txt: {NOT_UTF_8}")]
    assert set(importer.pool.ads(["uno", "più/due"])) == {"uno", "più/due"}


def test_a_folder_yields_the_tables_in_it(importer: Importer) -> None:
    folder = importer.folder / "hub"
    (folder / "data").mkdir(parents=True)
    pd.DataFrame(TABLE).to_parquet(folder / "data" / "train-00000.parquet")
    (folder / "more.jsonl").write_text('{"id": "z", "text": "Zero."}\n{broken\n')
    (folder / "README.txt").write_text("Not an ad.")
    report = importer.import_(folder)
    assert (report.ads, report.rejects) == (2, 2)
    assert any(reason.startswith("more.jsonl: broken JSON") for _, reason in rejects(report))


@pytest.mark.parametrize("splits", [False, True])
def test_a_saved_dataset_yields_its_rows_with_class_names(importer: Importer, splits: bool) -> None:
    data = Dataset.from_dict(
        {"text": ["Uno.", "Due.", "Tre."], "label": [1, 0, -1]},
        features=Features({"text": Value("string"), "label": ClassLabel(names=["age", "gender"])}),
    )
    dataset = (
        DatasetDict({"train": data.select([0, 1]), "test": data.select([2])}) if splits else data
    )
    dataset.save_to_disk(str(importer.folder / "saved"))
    report = importer.import_(importer.folder / "saved")
    assert (report.items, report.labelled, report.rejects) == (3, 2, 0)
    assert [annotation.labels for annotation in importer.recorded.values()] == [
        ("gender",),
        ("age",),
    ]


@pytest.mark.parametrize("damage", ["cut", "column"])
def test_a_damaged_table_says_why(importer: Importer, damage: str) -> None:
    path = importer.folder / "a.parquet"
    pd.DataFrame(TABLE).rename(columns={"text": "testo"}).to_parquet(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    wrong = {
        "cut": "is not a complete Parquet file",
        "column": r"no column text; it has: id, testo",
    }
    with pytest.raises(DataError, match=wrong[damage]):
        importer.import_(path)


def test_a_damaged_saved_dataset_says_why(importer: Importer) -> None:
    Dataset.from_dict({"text": ["Uno."]}).save_to_disk(str(importer.folder / "saved"))
    for file in (importer.folder / "saved").glob("*.arrow"):
        file.unlink()
    with pytest.raises(DataError, match=r"is not a complete saved dataset|cannot read"):
        importer.import_(importer.folder / "saved")


def test_rejects_that_cannot_be_written_stop_the_import(importer: Importer) -> None:
    (importer.folder / "rejects").write_text("in the way")
    with pytest.raises(WorkspaceError, match=r"cannot write .*rejects\.jsonl"):
        importer.import_(importer.write("bad.jsonl", b"{"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([line for line, _ in BAD_LINES[:4]])))
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_any_bytes_are_read_to_the_end(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("any") / f"any.{suffix}"
    path.write_bytes(b"\n".join([b"id,text", *lines, b"ok,Bene."]))
    rows = list(read_rows(path))
    assert all(isinstance(row, Row | Reject) for row in rows)
    for row in rows:
        if isinstance(row, Row):
            row.text.encode()


def test_importing_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'datasets', 'pyarrow'}"
    check = f"import biasloop.intake.ingest, sys; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_rejected_rows_of_one_ad_can_be_dropped(importer: Importer) -> None:
    """Others stay as they are, whatever separates their lines."""

    rows = [{"id": "a", "text": ["x"]}, {"id": "b", "text": ["Sede\u2028Lecco"]}, {"text": ["y"]}]
    report = importer.import_(importer.write("mixed.jsonl", rows))
    assert report.rejects_file is not None
    before = report.rejects_file.read_text("utf-8")
    drop_rejects_of(report.rejects_file.parent, "a")
    assert report.rejects_file.read_text("utf-8") == before.partition("\n")[2]
    drop_rejects_of(report.rejects_file.parent, "c")
    drop_rejects_of(importer.folder / "none", "a")
    assert report.rejects_file.read_text("utf-8").count("\n") == 2


def test_what_is_no_whole_rejected_row_is_dropped_with_any_ad(tmp_path: Path) -> None:
    """A kill cuts a line, and the one after a full disk hangs on it."""
    kept = '{"line": 1, "reason": "no text", "excerpt": "", "id": "b"}'
    path = tmp_path / "a.jsonl"
    path.write_bytes(f'{kept}\n[]\n{{"line": 3}}\n{{"line": 2, "reason": "n\xe0'.encode()[:-1])
    drop_rejects_of(tmp_path, "a")
    assert path.read_text("utf-8") == kept
