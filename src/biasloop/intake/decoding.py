"""Opens text files: unpacks gzip, and recognises the encoding by the first bytes.

UTF-8 with or without a byte order mark, UTF-16 and UTF-32 are recognised. Any other encoding must
be named: guessing between cp1252 and its relatives would silently put wrong letters into texts.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import IO, TextIO, cast

from biasloop.errors import DataError

_GZIP = b"\x1f\x8b"
_HEAD = 4096
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NAME_ENCODING = ", or name its encoding, e.g. --encoding cp1252"
"""Ends the reason for rejecting a row, for commands that have this option."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@contextmanager
def open_text(raw: IO[bytes], encoding: str | None, newline: str) -> Iterator[TextIO]:
    """Decodes a stream of bytes. A byte that cannot be decoded becomes half a surrogate pair, so
    that only its own row is rejected.

    Raises DataError if the encoding is unknown.
    """
    stream = _with_peek(raw)
    if stream.peek(2)[:2] == _GZIP:
        stream = BufferedReader(GzipFile(fileobj=stream))
    name = _encoding(stream.peek(_HEAD)[:_HEAD], encoding)
    try:
        text = TextIOWrapper(stream, name, errors="surrogateescape", newline=newline)
    except LookupError:
        raise DataError(f"there is no encoding {encoding!r}; try cp1252, utf-8 or utf-16") from None
    try:
        yield text
    finally:
        text.detach()  # the caller that opened `raw` closes it


def undecodable(text: str, encoding: str | None) -> str | None:
    """The reason to reject a row if it holds bytes that could not be decoded."""
    if not _SURROGATE.search(text):
        return None
    if encoding is not None:
        return f"not {encoding}; name the right encoding"
    return f"not UTF-8; save the file as UTF-8{NAME_ENCODING}"


def _with_peek(raw: IO[bytes]) -> BufferedReader:
    buffered = raw if hasattr(raw, "peek") else BufferedReader(cast(RawIOBase, raw))
    return cast(BufferedReader, buffered)


def _encoding(head: bytes, named: str | None) -> str:
    """The encoding by the first bytes of a text; a byte order mark counts more than a name."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if named is not None:
        return named
    # Without a mark: in UTF-16, every other byte of a text in Latin letters is zero.
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if len(head) >= 4 and max(even, odd) > 0.4 * len(head) / 2 > 4 * min(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"
