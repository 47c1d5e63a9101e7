"""Chunked bodies, however they are cut into what single reads give."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from zonehost.errors import InvalidParameter
from zonehost.linux.chunked import ChunkedBody


def reads(*parts: bytes) -> Callable[[], bytes]:
    left: Iterator[bytes] = iter(parts)
    return lambda: next(left, b"")


def coded(content: bytes, sizes: list[int], extension: bytes = b"") -> bytes:
    text = b""
    for size in sizes:
        part, content = content[:size], content[size:]
        text += b"%x%s\r\n%s\r\n" % (len(part), extension, part)
    return text + b"0\r\n\r\n"


@pytest.mark.parametrize("seed", range(50))
def test_it_does_not_matter_where_reads_end(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.randrange(1, 300) for _ in range(20)]
    content = chance.randbytes(sum(sizes))
    wire = coded(content, sizes, chance.choice([b"", b";name=value", b" "]))
    cuts = sorted(chance.sample(range(1, len(wire)), 30))
    parts = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert b"".join(ChunkedBody(parts[0], reads(*parts[1:]))) == content


def test_many_small_chunks_are_passed_on_together() -> None:
    content = bytes(3 << 20)
    pieces = list(ChunkedBody(b"", reads(coded(content, [1 << 12] * (3 << 8)))))
    assert [len(piece) for piece in pieces] == [1 << 20] * 3


def test_an_empty_body_and_one_with_trailers() -> None:
    assert list(ChunkedBody(b"0\r\n\r\n", reads())) == []
    assert list(ChunkedBody(b"1\r\na\r\n0\r\nDigest: x\r\nMore: y\r\n\r\n", reads())) == [b"a"]


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"", "ended before its body did"),
        (b"5\r\nabc", "ended before its body did"),
        (b"3\r\nabc\r\n", "ended before its body did"),
        (b"3\r\nabc\r\n0\r\n", "ended before its body did"),
        (b"3\r\nabcd\r\n0\r\n\r\n", "longer than it says"),
        (b"-3\r\nabc\r\n0\r\n\r\n", "has no size"),
        (b"0x3\r\nabc\r\n0\r\n\r\n", "has no size"),
        (b"\r\nabc\r\n0\r\n\r\n", "has no size"),
        (b"1" * 16 + b"\r\n", "has no size"),
        (b"1;" + b"x" * 5000, "a line is too long"),
        (b"0\r\n" + b"a: b\r\n" * 100, "too many trailers"),
    ],
)
def test_what_is_not_so_coded_is_refused(wire: bytes, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        list(ChunkedBody(wire, reads()))
    with pytest.raises(InvalidParameter, match=words):
        list(ChunkedBody(b"", reads(*(wire[at : at + 1] for at in range(len(wire))))))
