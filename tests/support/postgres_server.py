"""A real PostgreSQL for tests, from Debian's packages, started once per run."""

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from support.ports import free_port

POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
"""Of every version installed, the newest last."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """`postgresql://…` of a server with a data folder of its own; no database name at the end."""
    if not POSTGRESQL:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql; scripts/system-packages installs it")
    with running_postgresql() as url:
        yield url


@contextmanager
def running_postgresql() -> Iterator[str]:
    """The same, for who is no test."""
    # Neither under pytest's folder, which only its owner may enter, nor as root, which the server
    # refuses.
    account = "postgres" if os.geteuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="biasloop-postgresql-"))
    owner = pwd.getpwnam(account)
    os.chown(folder, owner.pw_uid, owner.pw_gid)

    def run(program: str, *arguments: str) -> None:
        # The output goes to a file: a pipe would stay open as long as the server.
        with (folder / "log").open("ab") as log:
            done = subprocess.run(
                [POSTGRESQL[-1].with_name(program), "-D", folder / "data", *arguments],
                user=owner.pw_uid, group=owner.pw_gid, cwd=folder, stdout=log, stderr=log,
                check=False,
            )  # fmt: skip
        assert done.returncode == 0, (folder / "log").read_text()

    port = free_port()
    # A time zone other than UTC shows where somebody relies on the server's.
    settings = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c timezone=Europe/Rome"
    try:
        run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")
        run("pg_ctl", "-w", "-o", settings, "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield f"{postgres_server}/{name}".replace("postgresql:", "postgresql+psycopg:", 1)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
