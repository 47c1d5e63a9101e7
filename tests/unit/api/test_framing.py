"""Docker's multiplexed stream."""

from __future__ import annotations

from zonehost.api.framing import multiplexed, raw
from zonehost.ports.streams import Stream


def test_each_chunk_has_its_stream_and_its_length() -> None:
    batch = [(Stream.STDOUT, b"out"), (Stream.STDERR, b"x" * 258)]
    assert multiplexed(batch) == b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\x01\x02" + b"x" * 258


def test_raw_output_is_just_output() -> None:
    assert raw([(Stream.STDOUT, b"a"), (Stream.STDERR, b"b")]) == b"ab"
    assert raw([(Stream.STDOUT, b"a")]) == b"a"
