"""The log of exports names those that held an ad, and holds no id in clear."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from biasloop.store.export_log import ExportLog, PastExport, _contains

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_exports_are_listed_by_what_they_held(tmp_path: Path) -> None:
    log = ExportLog(tmp_path / "log")
    assert log.holding("ad-1") == []
    log.record(tmp_path / "first", ["ad-1", "ad-2"], NOW)
    log.record(tmp_path / "second", [], NOW + timedelta(seconds=1))
    log.record(tmp_path / "third", ["ad-\ud800", "ad-1"], NOW + timedelta(seconds=2))
    first = PastExport(NOW, tmp_path / "first")
    third = PastExport(NOW + timedelta(seconds=2), tmp_path / "third")
    assert log.holding("ad-1") == [first, third]
    assert log.holding("ad-\ud800") == [third]
    assert log.holding("ad-3") == []
    assert [export.folder.name for export in log.all()] == ["first", "second", "third"]
    assert not any(b"ad-1" in path.read_bytes() for path in (tmp_path / "log").iterdir())


@given(st.sets(st.integers(0, 2**64 - 1), max_size=20), st.integers(0, 2**64 - 1))
def test_a_digest_is_found_where_it_is(digests: set[int], digest: int) -> None:
    ordered = np.array(sorted(digests), np.uint64)
    assert _contains(ordered, digest) is (digest in digests)
    assert all(_contains(ordered, known) for known in digests)
