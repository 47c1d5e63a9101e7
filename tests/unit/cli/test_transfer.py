"""Streams on their way through the command: whole or cut, and how far they are."""

from __future__ import annotations

import json

import pytest

from zonehost.cli.transfer import Reader, check_whole, pump
from zonehost.cli.transfer_progress import Progress
from zonehost.domain.frames import MAGIC, Kind, frame
from zonehost.errors import SystemFailure

HEAD = MAGIC + frame(Kind.HEAD, json.dumps({"size": 5000, "of": "data"}).encode())
WHOLE = HEAD + frame(Kind.DATASET, b"0") + frame(Kind.DATA, bytes(4000)) + frame(Kind.END) + frame(Kind.DONE)


def pieces(data: bytes, size: int) -> Reader:
    left = [data[at : at + size] for at in range(0, len(data), size)]

    def read(room: memoryview) -> int:
        piece = left.pop(0) if left else b""
        room[: len(piece)] = piece
        return len(piece)

    return read


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("cut", [0, 1, 9, 4000])
def test_a_stream_is_whole_if_its_last_frame_came(size: int, cut: int) -> None:
    data = WHOLE[: len(WHOLE) - cut]
    written = bytearray()
    assert pump(pieces(data, size), written.extend, Progress("off", "sent")) is (cut == 0)
    assert written == data


def test_a_stream_that_is_cut_is_a_failure() -> None:
    check_whole(True)
    with pytest.raises(SystemFailure, match="cut"):
        check_whole(False)


def test_lines_of_json_have_the_size_that_the_head_gives(capsys: pytest.CaptureFixture[str]) -> None:
    pump(pieces(WHOLE, 10), bytearray().extend, Progress("json", "sent"))
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["bytes"] == len(WHOLE) and told["total"] == 5000 and told["done"] is True
    assert told["left"] == pytest.approx((5000 - len(WHOLE)) / told["rate"], abs=0.1)


def test_what_is_no_stream_of_ours_is_counted_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    pump(pieces(bytes(500), 100), bytearray().extend, Progress("json", "received"))
    told = json.loads(capsys.readouterr().err)
    assert (told["bytes"], told["total"], told["left"]) == (500, None, None)
