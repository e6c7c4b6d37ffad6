"""Secrets are struck out of whatever another program says, however it writes them."""

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.foreign import PIECE, hide_password, strike_secrets

LETTERS = st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="*")
SECRETS = st.text(LETTERS, min_size=PIECE, max_size=60)
WAYS = (str, str.upper, str.lower, quote, quote_plus, lambda s: json.dumps(s)[1:-1])


@given(st.text(), SECRETS, st.text(), st.sampled_from(WAYS), st.integers(0, 20), st.integers(0, 20))
def test_no_piece_of_a_secret_remains(before, secret, after, way, start, cut) -> None:  # type: ignore[no-untyped-def]
    shown = strike_secrets(before + way(secret[start : len(secret) - cut]) + after, [secret])
    pieces = {secret[i : i + PIECE] for i in range(len(secret) - PIECE + 1)}
    assert not [piece for piece in pieces if piece in shown]


@given(st.text(max_size=200), SECRETS)
def test_what_is_not_secret_remains(text: str, secret: str) -> None:
    assert strike_secrets(text, [None, ""]) == text
    if secret[:PIECE].lower() not in text.lower() and len(secret) > len(text) + PIECE:
        assert strike_secrets(text, [secret]) == text


def test_a_short_secret_is_struck_out_as_a_whole() -> None:
    assert strike_secrets("the key hunter2 is wrong", ["hunter2"]) == "the key *** is wrong"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:80/v1", "http://host:80/v1"),
        ("http://me:secret@host/v1?a=b@c", "http://***@host/v1?a=b@c"),
        (
            "postgresql+psycopg://me:p%40ss@db.example/name",
            "postgresql+psycopg://***@db.example/name",
        ),
        ("https://me:p@ss@host", "https://***@host"),
        ("https://key@host", "https://***@host"),
        ("sqlite:////tmp/a@b.db", "sqlite:////tmp/a@b.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert hide_password(url) == shown
