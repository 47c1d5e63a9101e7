"""The format of log files: any bytes come back exactly, torn lines do not come back at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zonehost.drivers.logs.k8s_file import Parser
from zonehost.ports.logs import LogLine
from zonehost.ports.streams import Stream

AT = 1_795_445_109_000_000_000
STAMP = b"2026-11-23T14:45:09.%09d+00:00"


def written(data: bytes, stream: bytes = b"stdout") -> bytes:
    """What conmon writes for one read of the data."""
    *full, part = data.split(b"\n")
    lines = [b"%s %s F %s\n" % (STAMP % number, stream, line) for number, line in enumerate(full)]
    if part:
        lines.append(b"%s %s P %s\n" % (STAMP % len(full), stream, part))
    return b"".join(lines)


@given(st.binary(max_size=400), st.integers(min_value=1, max_value=64))
def test_any_bytes_come_back_however_the_file_is_read(data: bytes, step: int) -> None:
    parser, file = Parser(), written(data)
    lines = [line for at in range(0, len(file), step) for line in parser.feed(file[at : at + step])]
    assert b"".join(line.data for line in lines) == data


def test_times_have_their_nanoseconds_and_zone() -> None:
    parser = Parser()
    assert parser.feed(b"2026-11-23T16:45:09.000000007+02:00 stderr F a b\n") == [
        LogLine(AT + 7, Stream.STDERR, b"a b\n")
    ]
    assert parser.feed(b"2026-11-23T14:45:10.500000000+00:00 stdout P x\n") == [
        LogLine(AT + 1_500_000_000, Stream.STDOUT, b"x")
    ]


def test_a_torn_line_is_left_out_and_the_next_is_read() -> None:
    torn = b"2026-11-23T14:4\x00\x00\n" + written(b"whole\n")
    assert [line.data for line in Parser().feed(torn)] == [b"whole\n"]
