"""The suite of the logs port: reading back, tails, bounds, following over a rotation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from zonehost.drivers.logs.files import LogFiles
from zonehost.ports.logs import LogLine

SECOND = 1_000_000_000
BEGIN = 1_795_445_100 * SECOND


def line(number: int, text: str | None = None) -> bytes:
    return b"2026-11-23T14:45:%02d.%09d+00:00 stdout F %s\n" % (
        number // 100 % 60,
        number % 100,
        (text or f"line {number}").encode(),
    )


def texts(batches: list[list[LogLine]]) -> list[str]:
    return [entry.data.decode().rstrip("\n") for batch in batches for entry in batch]


async def collected(batches: AsyncIterator[list[LogLine]]) -> list[str]:
    return texts([batch async for batch in batches])


@pytest.fixture
async def logs() -> AsyncIterator[LogFiles]:
    logs = LogFiles()
    yield logs
    await logs.close()


async def test_all_files_are_read_oldest_first(logs: LogFiles, tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number, name in enumerate(["log.2", "log.1", "log"]):
        (tmp_path / name).write_bytes(line(2 * number) + line(2 * number + 1))
    assert await collected(logs.read(str(log))) == [f"line {n}" for n in range(6)]


@pytest.mark.parametrize("tail", [0, 1, 3, 1999, 2000, 2001, 6000, 9000])
async def test_a_tail_crosses_blocks_and_files(logs: LogFiles, tmp_path: Path, tail: int) -> None:
    log = tmp_path / "log"
    (tmp_path / "log.1").write_bytes(b"".join(line(n, f"{n} {'x' * 99}") for n in range(4000)))
    log.write_bytes(b"".join(line(n, f"{n} {'x' * 99}") for n in range(4000, 6000)))
    got = await collected(logs.read(str(log), tail=tail))
    assert [int(text.split()[0]) for text in got] == list(range(6000))[max(0, 6000 - tail) :] if tail else got == []


async def test_since_and_until_are_inclusive(logs: LogFiles, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(line(100 * n) for n in range(10)))
    got = await collected(logs.read(str(log), since=BEGIN + 3 * SECOND, until=BEGIN + 5 * SECOND))
    assert got == ["line 300", "line 400", "line 500"]


async def test_a_log_that_is_not_there_is_empty(logs: LogFiles, tmp_path: Path) -> None:
    assert await collected(logs.read(str(tmp_path / "none"))) == []


async def test_following_sees_what_comes_over_a_rotation_until_the_end(logs: LogFiles, tmp_path: Path) -> None:
    log, ended = tmp_path / "log", asyncio.Event()
    log.write_bytes(line(1))

    async def end() -> None:
        await ended.wait()

    batches = logs.read(str(log), follow=end)
    assert texts([await anext(batches)]) == ["line 1"]
    with log.open("ab", buffering=0) as writer:
        writer.write(line(2)[:20])
        later = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        writer.write(line(2)[20:])
        log.rename(tmp_path / "log.1")
        writer.write(line(3))
        log.write_bytes(line(4))
    seen = texts([await later])
    ended.set()
    assert seen + await collected(batches) == ["line 2", "line 3", "line 4"]


async def test_following_an_empty_place_waits_for_the_file(logs: LogFiles, tmp_path: Path) -> None:
    log, ended = tmp_path / "log", asyncio.Event()

    async def end() -> None:
        await ended.wait()

    batches = logs.read(str(log), follow=end)
    first = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)
    log.write_bytes(line(7))
    assert texts([await first]) == ["line 7"]
    ended.set()
    assert await collected(batches) == []


async def test_following_ends_when_its_time_is_up(logs: LogFiles, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"")

    async def never() -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        assert await collected(logs.read(str(log), until=BEGIN, follow=never)) == []


async def test_a_log_past_its_size_is_rotated_and_reopened(logs: LogFiles, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 100)
    (tmp_path / "log.1").write_bytes(b"older")
    reopened = asyncio.Event()

    async def reopen() -> None:
        log.write_bytes(b"new")
        reopened.set()

    logs.keep("zone", str(log), max_size=50, max_files=2, reopen=reopen)
    await asyncio.wait_for(reopened.wait(), 5)
    assert (tmp_path / "log.1").read_bytes() == b"x" * 100
    assert log.read_bytes() == b"new"
    assert not (tmp_path / "log.2").exists()


async def test_a_log_that_somebody_deletes_is_opened_anew(logs: LogFiles, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first")
    reopened = asyncio.Event()

    async def reopen() -> None:
        log.write_bytes(b"new")
        reopened.set()

    with log.open("ab") as writer:
        logs.keep("zone", str(log), max_size=50, max_files=2, reopen=reopen)
        await _turns()
        log.unlink()
        writer.write(b"lost")
    await asyncio.wait_for(reopened.wait(), 5)


def _watches() -> int:
    """Files that this process watches (inotify(7), /proc/PID/fdinfo)."""
    infos = Path("/proc/self/fdinfo").iterdir()
    return sum(text.startswith("inotify ") for info in infos if info.exists() for text in info.read_text().splitlines())


async def _turns() -> None:
    """Let all that can go on go on."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_a_log_that_is_let_go_is_not_watched(logs: LogFiles, tmp_path: Path) -> None:
    before = _watches()
    log = tmp_path / "log"
    log.write_bytes(line(1))

    async def reopen() -> None:
        """The log is never full."""

    async def never() -> None:
        await asyncio.Event().wait()

    logs.keep("zone", str(log), max_size=1 << 20, max_files=2, reopen=reopen)
    reading = asyncio.create_task(collected(logs.read(str(log), follow=never)))
    await _turns()
    assert _watches() > before
    await logs.forget("zone")
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await _turns()
    assert _watches() == before
