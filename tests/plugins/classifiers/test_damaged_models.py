"""Model files that are damaged or foreign: an error that names the file, never verdicts."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.state import read_state
from biasloop.plugins.classifiers.tfidf import Tfidf

TEXTS = ["Cerchiamo un uomo", "Cerchiamo persone", "Massimo trent'anni", "Orario serale"] * 4
ARRAYS = {
    "coef": ("model", "coef"), "intercept": ("model", "intercept"), "idf": ("model", "idf"),
    "slope": ("slope",), "offset": ("offset",), "thresholds": ("thresholds",),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = np.array([[1, 0], [0, 0], [0, 1], [0, 0]] * 4, np.int8)
    classifier = Tfidf(TfidfOptions(committee=True))
    classifier.fit(
        TrainingSet(
            texts=TEXTS,
            labels=labels,
            weights=np.ones(len(TEXTS), np.float32),
            roots=np.arange(len(TEXTS)).astype(str),
            sources=[LabelSource.SEED] * len(TEXTS),
            label_names=("gender", "age"),
            multi=True,
        ),
        seed=0,
    )
    folder = tmp_path_factory.mktemp("model")
    classifier.save(folder)
    return folder


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(file: Path, content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def refused(saved: Path, name: str, content: dict[str, bytes], compression: int = 0) -> str:
    """The message about a model whose file of that name has this content."""
    copy = saved.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(saved, copy)
    write(copy / name, content, compression)
    with pytest.raises(ClassifierError) as error:
        Tfidf.load(copy)
    assert str(copy / name) in str(error.value)
    return str(error.value)


def with_array(content: dict[str, bytes], array: str, new: object) -> dict[str, bytes]:
    entry = json.loads(content["state.json"])["head"]
    for key in ARRAYS[array]:
        entry = entry[key]
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(new))
    return content | {f"{entry['array']}.npy": buffer.getvalue() if new is not None else b"bytes"}


def array_of(content: dict[str, bytes], array: str) -> np.ndarray:
    entry = json.loads(content["state.json"])["head"]
    for key in ARRAYS[array]:
        entry = entry[key]
    return np.load(io.BytesIO(content[f"{entry['array']}.npy"]))


@pytest.mark.parametrize("array", ARRAYS)
@given(
    how=st.sampled_from(["nan", "inf", "shorter", "longer", "scalar", "complex", "text", "bytes"]),
    at=st.floats(0, 1),
)
@settings(max_examples=15, deadline=None)
def test_an_array_that_no_training_makes_is_refused(
    saved: Path, array: str, how: str, at: float
) -> None:
    content = members(saved / "head.npz")
    old = array_of(content, array)
    spoiled = old.copy()
    spoiled.flat[int(at * (old.size - 1))] = {"nan": np.nan, "inf": -np.inf}.get(how, 0)
    new = {
        "nan": spoiled,
        "inf": spoiled,
        "shorter": old[:1] if len(old) > 1 else old[:0],
        "longer": np.concatenate([old, old]),
        "scalar": old.flat[0],
        "complex": old.astype(complex),
        "text": old.astype(str),
        "bytes": None,
    }[how]
    refused(saved, "head.npz", with_array(content, array, new))


@pytest.mark.parametrize(
    "names", [["gender"], ["gender", "gender"], ["a", "b", "c"], [1, 2], [], None, "ab"[:1]]
)
def test_names_that_are_not_those_of_the_labels_are_refused(saved: Path, names: object) -> None:
    content = members(saved / "head.npz")
    state = json.loads(content["state.json"])
    state["head"]["names"] = names
    refused(saved, "head.npz", content | {"state.json": json.dumps(state).encode()})


@pytest.mark.parametrize("multi", ["no", None, 1])
def test_a_kind_of_scheme_that_is_no_truth_value_is_refused(saved: Path, multi: object) -> None:
    content = members(saved / "head.npz")
    state = json.loads(content["state.json"])
    state["head"]["multi"] = multi
    refused(saved, "head.npz", content | {"state.json": json.dumps(state).encode()})


@pytest.mark.parametrize("counts", [np.ones(3, np.int64), np.float64(1), None])
def test_an_encoder_with_other_counts_is_refused(saved: Path, counts: object) -> None:
    content = members(saved / "encoder" / "encoder.npz")
    name = f"{json.loads(content['state.json'])['found']['array']}.npy"
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(counts, np.float64) if counts is None else counts)
    refused(saved, "encoder/encoder.npz", content | {name: buffer.getvalue()})


@pytest.mark.parametrize("name", ["head.npz", "encoder/encoder.npz"])
def test_a_file_that_unpacks_to_more_than_its_size_is_not_unpacked(saved: Path, name: str) -> None:
    content = members(saved / name)
    bomb = content | {"bomb.npy": bytes(30_000_000)}
    assert "more than its own size" in refused(saved, name, bomb, zipfile.ZIP_DEFLATED)


def test_a_damaged_file_of_the_former_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "head.skops").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(ClassifierError, match=r"head\.skops cannot be read"):
        read_state(tmp_path / "head.npz", 4)
