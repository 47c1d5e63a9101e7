"""The keys that let go of a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonehost.api.detach import DetachKeys, parse_keys


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", b"\x10\x11"),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("ctrl-@,ctrl-a,ctrl-z", b"\x00\x01\x1a"),
        ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x1b\x1c\x1d\x1e\x1f"),
        ("a,B,DEL", b"aB\x7f"),
    ],
)
def test_keys_are_written_as_in_docker(text: str, codes: bytes) -> None:
    assert parse_keys(text) == codes


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "esc", "a,,b", "ctrl-A", "č"])
def test_other_words_are_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="Unknown character"):
        parse_keys(text)


def test_the_keys_are_found_in_one_piece_and_in_several() -> None:
    whole = DetachKeys(b"\x10\x11")
    assert whole.feed(b"ls\n\x10\x11rest") == b"ls\n"
    assert whole.pressed
    split = DetachKeys(b"\x10\x11")
    assert (split.feed(b"a\x10"), split.pressed) == (b"a", False)
    assert (split.feed(b"\x11"), split.pressed) == (b"", True)


def test_a_beginning_that_is_not_followed_is_passed_on() -> None:
    keys = DetachKeys(b"\x10\x11")
    assert keys.feed(b"\x10") == b""
    assert keys.feed(b"x") == b"\x10x"
    assert not keys.pressed


def test_the_first_key_twice_counts_once() -> None:
    keys = DetachKeys(b"\x10\x11")
    assert keys.feed(b"\x10\x10\x11") == b"\x10"
    assert keys.pressed


@given(st.lists(st.binary(max_size=8)))
def test_input_without_the_keys_arrives_whole(pieces: list[bytes]) -> None:
    typed = b"".join(pieces).replace(b"\x11", b"")
    keys = DetachKeys(b"\x10\x11")
    passed = b"".join(keys.feed(typed[i : i + 3]) for i in range(0, len(typed), 3))
    assert not keys.pressed
    assert passed + keys.held == typed
