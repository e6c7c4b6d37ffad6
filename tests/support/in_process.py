"""The command line in this process: as a process of its own, without the seconds that imports take.

What a command leaves behind in its process (environment, streams, arguments) is as it was before.
"""

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from unittest.mock import patch

from biasloop.cli.main import run


def run_in_process(
    arguments: Sequence[str], environment: Mapping[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs `biasloop` with these arguments in this environment, and no other."""
    with _process(arguments, environment, stdin) as (out, err):
        try:
            run()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(list(arguments), code, _text(out), _text(err))


@contextmanager
def _process(
    arguments: Sequence[str], environment: Mapping[str, str], stdin: str
) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    out, err, source = (
        io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
        for content in (b"", b"", stdin.encode())
    )
    with (
        patch.object(sys, "argv", ["biasloop", *arguments]),
        patch.object(sys, "stdin", source),
        patch.dict(os.environ, environment, clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        yield out, err


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    content = stream.buffer
    assert isinstance(content, io.BytesIO)
    return content.getvalue().decode("utf-8")
