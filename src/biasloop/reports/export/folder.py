"""The folder of an export: it appears whole or not at all, and replaces nothing unasked."""

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from biasloop.errors import WorkspaceError
from biasloop.store.atomic import written_whole

CHECKSUMS = "SHA256SUMS"
RECORD = "export.json"
"""Says what was exported and how. Only a folder that has it is an export of this version."""
OF_EARLIER_VERSIONS = frozenset(
    f"{table}{suffix}" for table in ("items", "votes", "ads") for suffix in (".csv", ".parquet")
)


def free_folder(exports: Path, now: datetime) -> Path:
    """A folder that does not exist, named after this second, or with a number behind."""
    name = f"{now:%Y%m%d-%H%M%S}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(exports / name for name in names if not (exports / name).exists())


def check_free(folder: Path, force: bool) -> None:
    """Raises WorkspaceError if an export may not be written there: something is there, and `force`
    is not given or it is no export. What somebody else put there is never deleted."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise WorkspaceError(f"{folder} is no folder; name another one with --to")
    if foreign := _foreign_files(folder):
        raise WorkspaceError(
            f"{folder} holds {foreign[0]}, which no export wrote; name another folder with --to"
        )
    if not force:
        raise WorkspaceError(
            f"{folder} holds an export already; name another folder with --to, or replace it with "
            "--force"
        )


@contextmanager
def new_folder(folder: Path, force: bool) -> Iterator[Path]:
    """Yields a temporary folder, which becomes `folder` at the end of the block, with checksums of
    its files. If the block raises, what was there before is unchanged. Raises WorkspaceError as
    `check_free` does."""
    check_free(folder, force)
    folder = folder.resolve()  # "." has no name to put a suffix to
    folder.parent.mkdir(parents=True, exist_ok=True)
    replaced = folder.with_name(f"{folder.name}.{secrets.token_hex(8)}.tmp")
    with written_whole(folder) as temporary:
        temporary.mkdir()
        try:
            yield temporary
            (temporary / CHECKSUMS).write_text(_checksums(temporary), "utf-8")
        except FileNotFoundError:
            if temporary.exists():
                raise
            raise WorkspaceError("an ad was taken down during the export; export again") from None
        check_free(folder, force)
        if folder.exists():
            folder.rename(replaced)
    shutil.rmtree(replaced, ignore_errors=True)


def sha256(path: Path) -> str:
    """The checksum of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksums(folder: Path) -> str:
    """As the program sha256sum writes and checks them."""
    return "".join(f"{sha256(folder / name)}  {name}\n" for name in _files(folder))


def _files(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _foreign_files(folder: Path) -> list[str]:
    """The files that no export wrote; an export lists its own."""
    files, listed = _files(folder), set(OF_EARLIER_VERSIONS)
    if {CHECKSUMS, RECORD} <= set(files):
        lines = (folder / CHECKSUMS).read_text("utf-8", errors="replace").splitlines()
        listed |= {CHECKSUMS, *(line.partition("  ")[2] for line in lines)}
    return [name for name in files if name not in listed]
