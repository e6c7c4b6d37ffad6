"""Files as tools write them: the same table gives the same rows, whatever the format and the
oddity, to import, classify and simulate."""

import gzip
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import LabelSource, Scheme
from biasloop.errors import DataError
from biasloop.intake.dry_run import DryPool
from biasloop.intake.files import records
from biasloop.intake.ingest import ImportReport, import_file
from biasloop.intake.record import Reading
from biasloop.intake.rows import Row, read_rows
from biasloop.intake.texts import Text, read_texts
from biasloop.simulate.gold import read_gold
from biasloop.store.pool import ArrowPool

TEXTS = ["Cercasi cuoco, età 30;\nsubito", 'Una "brava" commessa', "Lavoro a turni|di notte"]
LABELS = [["gender", "age"], ["gender"], ["inclusive"]]
IDS = ["1", "2", "3"]
NAMES = ["gender", "age", "inclusive"]
SCHEME = Scheme(("gender", "age"), multi=True, none_label="inclusive")

Write = Callable[[Path], Path]
TABLE: dict[str, Write] = {}
"""Ways to write the same three rows, by name."""


def way(write: Write) -> Write:
    TABLE[write.__name__] = write
    return write


def frame(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame({"id": IDS, "text": TEXTS, "labels": LABELS} | changes)


def rows(**changes: Sequence[Any]) -> list[dict[str, Any]]:
    columns = {"id": IDS, "text": TEXTS, "labels": LABELS} | changes
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values())]  # noqa: B905


def text_file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def jsonl(records: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def joined() -> list[str]:
    return ["|".join(labels) for labels in LABELS]


@way
def json_lines(folder: Path) -> Path:
    return text_file(folder, "a.jsonl", jsonl(rows()))


@way
def json_lines_with_nan_and_numbers(folder: Path) -> Path:
    odd = rows(id=[1, 2.0, "3.0"], title=[math.nan, None, ""], source=[math.nan, "nan", "x"])
    return text_file(folder, "a.jsonl", jsonl(odd))


@way
def json_lines_of_ads_as_exported(folder: Path) -> Path:
    odd = [{"ad_id" if name == "id" else name: v for name, v in row.items()} for row in rows()]
    return text_file(folder, "a.ndjson", "\n\n" + jsonl(odd))


@way
def json_array(folder: Path) -> Path:
    return text_file(folder, "a.json", json.dumps(rows()))


@way
def json_array_over_many_lines(folder: Path) -> Path:
    return text_file(folder, "a.json", "\ufeff" + json.dumps(rows(), indent=1))


@way
def json_array_called_lines(folder: Path) -> Path:
    return text_file(folder, "a.jsonl", json.dumps(rows(), indent=1))


@way
def json_objects_over_many_lines(folder: Path) -> Path:
    return text_file(folder, "a.json", "\n".join(json.dumps(row, indent=2) for row in rows()))


@way
def json_records_of_pandas(folder: Path) -> Path:
    frame(id=[1.0, 2.0, 3.0]).to_json(folder / "a.json", orient="records")
    return folder / "a.json"


@way
def packed_json_lines(folder: Path) -> Path:
    return text_file(folder, "a.jsonl.gz", gzip.compress(jsonl(rows()).encode()))


@way
def comma_separated(folder: Path) -> Path:
    frame(labels=joined()).to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


@way
def comma_separated_with_an_index(folder: Path) -> Path:
    frame(labels=joined()).to_csv(folder / "a.csv")
    return folder / "a.csv"


@way
def comma_separated_with_float_ids(folder: Path) -> Path:
    frame(id=[1.0, 2.0, 3.0], labels=joined(), title=[None, math.nan, "x"]).to_csv(
        folder / "a.csv", index=False
    )
    return folder / "a.csv"


@way
def comma_separated_with_python_lists(folder: Path) -> Path:
    frame().to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


@way
def comma_separated_with_numpy_arrays(folder: Path) -> Path:
    frame(labels=[np.array(labels) for labels in LABELS]).to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


@way
def comma_separated_with_json_lists(folder: Path) -> Path:
    frame(labels=list(map(json.dumps, LABELS))).to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


@way
def semicolons_with_a_mark(folder: Path) -> Path:
    frame(labels=joined()).to_csv(folder / "a.csv", index=False, sep=";", encoding="utf-8-sig")
    return folder / "a.csv"


@way
def semicolons_with_excels_first_line(folder: Path) -> Path:
    content = "sep=;\r\n" + frame(labels=joined()).to_csv(index=False, sep=";")
    return text_file(folder, "a.csv", content)


@way
def tabs_as_csv(folder: Path) -> Path:
    frame(labels=joined()).to_csv(folder / "a.csv", index=False, sep="\t")
    return folder / "a.csv"


@way
def tabs(folder: Path) -> Path:
    frame(labels=joined()).to_csv(folder / "a.tsv", index=False, sep="\t")
    return folder / "a.tsv"


@way
def utf_16_with_a_mark(folder: Path) -> Path:
    frame(labels=joined()).to_csv(folder / "a.csv", index=False, sep="\t", encoding="utf-16")
    return folder / "a.csv"


@way
def utf_16_without_a_mark(folder: Path) -> Path:
    frame(labels=joined()).to_csv(folder / "a.csv", index=False, encoding="utf-16-le")
    return folder / "a.csv"


@way
def packed_comma_separated(folder: Path) -> Path:
    frame(labels=joined()).to_csv(folder / "a.csv.gz", index=False)
    return folder / "a.csv.gz"


@way
def parquet(folder: Path) -> Path:
    frame().to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


@way
def parquet_with_float_ids_and_arrays(folder: Path) -> Path:
    odd = frame(id=[1.0, 2.0, 3.0], labels=[np.array(labels) for labels in LABELS])
    odd["title"] = ["a", None, math.nan]
    odd.to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def with_class_numbers() -> Dataset:
    numbers = [[NAMES.index(name) for name in labels] for labels in LABELS]
    features = {"id": Value("string"), "text": Value("string")}
    return Dataset.from_dict(
        {"id": IDS, "text": TEXTS, "labels": numbers},
        features=Features(features | {"labels": List(ClassLabel(names=NAMES))}),
    )


@way
def saved_dataset(folder: Path) -> Path:
    with_class_numbers().save_to_disk(str(folder / "saved"))
    return folder / "saved"


@way
def parquet_of_the_hub(folder: Path) -> Path:
    with_class_numbers().to_parquet(str(folder / "a.parquet"))
    return folder / "a.parquet"


@way
def excel(folder: Path) -> Path:
    pytest.importorskip("openpyxl", reason="Excel files need the extra biasloop[excel]")
    frame(id=[1, 2, 3], labels=joined()).to_excel(folder / "a.xlsx", index=False)
    return folder / "a.xlsx"


def import_into(folder: Path, path: Path, **options: Any) -> tuple[ImportReport, list[Annotation]]:
    recorded: list[Annotation] = []
    defaults = {
        "pool": ArrowPool(folder / "pool"),
        "rejects_folder": folder / "rejects",
        "label_source": LabelSource.HUMAN,
        "scheme": SCHEME,
    }
    report = import_file(
        path,
        unit="text",
        language="it",
        campaign_seed=1,
        columns={},
        record=recorded.extend,
        now=datetime(2026, 5, 4, tzinfo=UTC),
        policy_id="p",
        progress=lambda _: None,
        **(defaults | options),
    )
    return report, recorded


@pytest.mark.parametrize("name", TABLE)
def test_import(tmp_path: Path, name: str) -> None:
    report, recorded = import_into(tmp_path, TABLE[name](tmp_path))
    assert (report.ads, report.labelled, report.reasons, report.unread) == (3, 3, (), ())
    ads = ArrowPool(tmp_path / "pool").ads(IDS)
    assert [ads[ad_id].text.replace("\r", "") for ad_id in IDS] == TEXTS
    assert {ad.title for ad in ads.values()} <= {"", "a", "c", "x"}
    assert {ad.source for ad in ads.values()} <= {"", "x"}
    assert [list(annotation.labels) for annotation in recorded] == LABELS


@pytest.mark.parametrize("name", TABLE)
def test_classify(tmp_path: Path, name: str) -> None:
    texts = list(read_texts(records(TABLE[name](tmp_path), Reading()), {}))
    assert [t.text.replace("\r", "") for t in texts if isinstance(t, Text)] == TEXTS
    assert [str(t.id) for t in texts if isinstance(t, Text)] == IDS


@pytest.mark.parametrize("name", TABLE)
def test_simulate(tmp_path: Path, name: str) -> None:
    path = TABLE[name](tmp_path)
    gold = read_gold(path, path)
    assert [text.replace("\r", "") for text in gold.pool.texts] == TEXTS
    assert gold.scheme.labels == ("age", "gender", "inclusive")
    assert gold.pool.labels.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "mac_roman"])
def test_other_encodings_must_be_named(tmp_path: Path, encoding: str) -> None:
    content = "id;text;labels\n1;Età: 30 anni;age\n2;Una cuoca;gender\n"
    path = text_file(tmp_path, "a.csv", content.encode(encoding))
    reasons = import_into(tmp_path, path)[0].reasons
    assert reasons == (
        "line 2: not UTF-8; save the file as UTF-8, or name its encoding, e.g. --encoding cp1252",
    )
    report, _ = import_into(tmp_path / "named", path, encoding=encoding)
    assert report.ads == 2
    assert ArrowPool(tmp_path / "named" / "pool").ads(["1"])["1"].text == "Età: 30 anni"
    assert read_gold(path, path, encoding).pool.texts[0] == "Età: 30 anni"


def test_an_encoding_that_does_not_exist(tmp_path: Path) -> None:
    path = text_file(tmp_path, "a.csv", "text\nx\n")
    for encoding in ("cp99999", "hex"):
        with pytest.raises(DataError, match="there is no encoding"):
            import_into(tmp_path, path, encoding=encoding)


def test_a_header_that_is_not_utf_8_does_not_hide_the_cause(tmp_path: Path) -> None:
    path = text_file(tmp_path, "a.csv", "id;testo attività\n1;x\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"not UTF-8.*--encoding cp1252"):
        import_into(tmp_path, path)


def test_words_for_nothing_are_missing_where_they_are_no_label(tmp_path: Path) -> None:
    path = text_file(tmp_path, "a.csv", "id,title,text,label\nnan,None,nan,None\n")
    (row,) = read_rows(path)
    assert isinstance(row, Row)
    assert (row.id, row.title, row.text, row.labels) == ("", "", "nan", ("None",))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, "1"), (1.0, "1"), ("1.0", "1"), ("01", "01"), (1.5, "1.5"), (2**60, str(2**60)),
     (-3.0, "-3"), ("1.0.0", "1.0.0"), (" a ", "a"), ("", ""), (None, ""), (math.nan, "")],
)  # fmt: skip
def test_an_id_is_the_same_in_every_format(tmp_path: Path, value: Any, expected: str) -> None:
    lines = text_file(tmp_path, "a.jsonl", jsonl([{"id": value, "text": "x"}]))
    pd.DataFrame({"id": [value], "text": ["x"]}).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame({"id": [value], "text": ["x"]}).to_parquet(tmp_path / "a.parquet")
    for path in (lines, tmp_path / "a.csv", tmp_path / "a.parquet"):
        (row,) = read_rows(path)
        assert isinstance(row, Row)
        assert row.id == expected


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_a_class_number_is_the_same_in_every_format(tmp_path: Path, suffix: str) -> None:
    """A missing label makes floats of the others."""
    table = pd.DataFrame({"text": TEXTS, "label": [1.0, 0.0, None]})
    path = tmp_path / f"a.{suffix}"
    if suffix == "json":
        path.write_text(json.dumps(table.to_dict("records")))
    else:
        getattr(table, f"to_{suffix}")(path)
    recorded = import_into(tmp_path, path, scheme=Scheme(("0", "1"), multi=False))[1]
    assert [annotation.labels for annotation in recorded] == [("1",), ("0",)]
    exact = Scheme(("0.0", "1.0"), multi=False)
    reasons = import_into(tmp_path / "exact", path, scheme=exact)[0].reasons
    assert (reasons == ()) == (suffix == "csv")
    labelled = table.dropna()
    lines = text_file(tmp_path, "gold.jsonl", jsonl(labelled.to_dict("records")))
    labelled.to_csv(tmp_path / "gold.csv")
    assert read_gold(lines, tmp_path / "gold.csv").scheme.labels == ("0", "1")


def test_what_was_imported_under_an_earlier_id_is_not_doubled(tmp_path: Path) -> None:
    """Up to version 0.1, CSV kept "1.0", `ad_id` was ignored and text files went by their name."""
    folder = tmp_path / "ads"
    (folder / "sub").mkdir(parents=True)
    text_file(folder / "sub", "due.txt", "Secondo annuncio.")
    old = [
        {"id": "x", "text": "Primo annuncio."},
        {"id": "due", "text": "Secondo annuncio."},
        {"text": "Terzo annuncio."},
    ]
    pool = ArrowPool(tmp_path / "pool")
    import_into(tmp_path, text_file(tmp_path, "old.jsonl", jsonl(old)))
    import_into(tmp_path, text_file(tmp_path, "id.jsonl", jsonl([{"id": "7.5", "text": "Sette."}])))
    assert len(pool) == 4
    new = [{"ad_id": "t", "text": "Terzo annuncio."}, {"id": 7.5, "text": "Sette."}]
    for path in (folder, text_file(tmp_path, "new.jsonl", jsonl(new))):
        report, _ = import_into(tmp_path, path)
        assert (report.items, report.rejects) == (0, 0)


# --- damage and odd files: one clear line each ----------------------------------------------------


def one_line(path: Path) -> str:
    with pytest.raises(DataError) as error:
        list(read_rows(path))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000
    return str(error.value)


def test_a_header_of_megabytes(tmp_path: Path) -> None:
    assert "header" in one_line(text_file(tmp_path, "a.csv", "x" * 3_000_000 + ",text\n1,2\n"))


def test_a_quote_that_is_never_closed_costs_its_row(tmp_path: Path) -> None:
    lines = ["id,text", "1,Uno", '2,"Due', *(f"{n},Riga {n}" for n in range(3, 20_000))]
    for end in ("\n", ""):
        path = text_file(tmp_path, "a.csv", "\n".join(lines) + end)
        found = list(read_rows(path))
        good = [row for row in found if isinstance(row, Row)]
        assert len(good) == len(lines) - 2
        assert [(r.line, r.reason) for r in found if not isinstance(r, Row)] == [
            (3, "broken CSV: a quote opens in this row and is never closed")
        ]
        assert [row.line for row in good] == [2, *range(4, len(lines) + 1)]


def test_cells_that_no_computer_can_show(tmp_path: Path) -> None:
    """Only the fields that are used matter."""
    far = pa.array([2**62, 0], pa.timestamp("us"))
    bad = pa.Array.from_buffers(
        pa.string(),
        2,
        [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"\xff\xfeb")],
    )
    columns = {
        "text": ["Uno.", "Due."],
        "published": far,
        "duration": pa.array([2**62, 0], pa.duration("us")),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert all(isinstance(row, Row) for row in read_rows(tmp_path / "a.parquet"))
    pq.write_table(pa.table({"text": bad, "title": ["a", "b"]}), tmp_path / "b.parquet")
    first, second = read_rows(tmp_path / "b.parquet")
    assert not isinstance(first, Row)
    assert first.reason.startswith("text cannot be read: ")
    assert isinstance(second, Row)


@pytest.mark.parametrize("content", ["null", "[]", "[1]", "7", '"x"', "{}", "{"])
@pytest.mark.parametrize("file", ["state.json", "dataset_info.json"])
def test_a_saved_dataset_with_a_damaged_description(
    tmp_path: Path, file: str, content: str
) -> None:
    path = saved_dataset(tmp_path)
    (path / file).write_text(content)
    with suppress(DataError):
        assert len(list(read_rows(path))) == 3  # some descriptions are not needed


def test_files_that_are_no_ordinary_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    (tmp_path / "b.csv").symlink_to("/dev/zero")
    for name in ("a.jsonl", "b.csv"):
        assert "not an ordinary file" in one_line(tmp_path / name)
    text_file(tmp_path, "c.jsonl", jsonl(rows()))
    (tmp_path / "d.jsonl").symlink_to("nowhere")
    report, _ = import_into(tmp_path / "w", tmp_path)
    assert report.ads == 3
    assert [part.partition(":")[0] for part in report.unread] == ["a.jsonl", "b.csv", "d.jsonl"]


@pytest.mark.parametrize("cut", [5, 30, -4])
def test_a_packed_file_that_is_cut(tmp_path: Path, cut: int) -> None:
    content = gzip.compress(jsonl(rows() * 100).encode())
    assert "cannot read" in one_line(text_file(tmp_path, "a.jsonl.gz", content[:cut]))


def test_what_a_folder_holds_besides_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "ads"
    folder.mkdir()
    text_file(folder, "a.jsonl", jsonl(rows()))
    text_file(folder, "b.csv", "codice,testo\n1,x\n")
    for name in ("c.txt", "d.pdf", "e.docx"):
        text_file(folder, name, "x")
    report, _ = import_into(tmp_path, folder)
    assert report.ads == 3
    unread = dict(part.split(": ", 1) for part in report.unread)
    assert set(unread) == {"b.csv", "c.txt", "d.pdf", "e.docx"}
    assert "no column text" in unread["b.csv"]
    assert "tables" in unread["c.txt"]
    assert ".jsonl" in unread["d.pdf"]


def test_text_files_with_the_same_name(tmp_path: Path) -> None:
    """Their ids are their paths; if another ad has the id, the name of the folder is added."""
    for place, text in {"uno/a.txt": "Uno.", "due/a.txt": "Due.", "due/sub/a.txt": "Tre."}.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    for _ in range(2):
        for path in (tmp_path / "uno", tmp_path / "due" / "a.txt", tmp_path / "due"):
            assert import_into(tmp_path, path)[0].rejects == 0
    pool = ArrowPool(tmp_path / "pool")
    assert {ad.id: ad.text for ad in pool.all_ads()} == {
        "a": "Uno.", "due/a": "Due.", "sub/a": "Tre."
    }  # fmt: skip


def test_a_taken_down_ad_stays_so_under_all_its_ids(tmp_path: Path) -> None:
    import_into(tmp_path, text_file(tmp_path, "a.jsonl", jsonl([{"text": "Un annuncio."}])))
    pool = ArrowPool(tmp_path / "pool")
    (ad,) = pool.all_ads()
    pool.erase(ad.id)
    again = [{"ad_id": "9", "text": "Un annuncio."}]
    report, _ = import_into(tmp_path, text_file(tmp_path, "b.jsonl", jsonl(again)))
    assert "was taken down" in report.reasons[0]
    assert report.nothing


def test_a_dry_run_says_what_an_import_does(tmp_path: Path) -> None:
    path = text_file(tmp_path, "a.jsonl", jsonl([*rows(), *rows(), {"id": "1", "text": "Altro."}]))
    dry, _ = import_into(
        tmp_path, path, pool=DryPool(ArrowPool(tmp_path / "pool")), rejects_folder=None
    )
    assert not (tmp_path / "pool").exists()
    assert not (tmp_path / "rejects").exists()
    real, _ = import_into(tmp_path, path)
    assert (dry.ads, dry.items, dry.duplicates, dry.labelled, dry.reasons) == (
        real.ads, real.items, real.duplicates, real.labelled, real.reasons
    )  # fmt: skip
    assert dry.rejects_file is None
