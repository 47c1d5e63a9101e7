"""The suite of the records port, on the real store."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from zonehost.domain.config import Config
from zonehost.domain.container import Container
from zonehost.domain.host_config import HostConfig
from zonehost.domain.image import Image, Tag
from zonehost.domain.phase import Phase
from zonehost.domain.volume import Volume
from zonehost.errors import SystemFailure
from zonehost.ports.records import Delete, Put
from zonehost.store.sqlite import SqliteRecords


def volume(name: str, **fields: object) -> Volume:
    return Volume(name=name, created=1, **fields)  # type: ignore[arg-type]


async def reopened(path: Path, records: SqliteRecords) -> SqliteRecords:
    await records.close()
    return SqliteRecords(path)


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    records = SqliteRecords(path)
    container = Container(
        id="c" * 64,
        name="web",
        created=7,
        image="sha256:1",
        layers=("sha256:2",),
        config=Config(cmd=("true",), env=("A=b",)),
        host_config=HostConfig(memory=64 << 20),
        path="true",
        args=(),
        phase=Phase.WHOLE,
    )
    image = Image(id="sha256:1", config=b'{"a":1}', layers=("sha256:2",), size=3, added=4)
    tag = Tag(name="docker.io/library/a:latest", image=image.id, tagged=5)
    await records.commit(Put(container), Put(image), Put(tag))
    records = await reopened(path, records)
    assert set(map(repr, records.load().records)) == {repr(container), repr(image), repr(tag)}
    await records.close()


async def test_a_later_put_replaces_and_a_delete_forgets(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    records = SqliteRecords(path)
    await records.commit(Put(volume("a")), Put(volume("b")))
    await records.commit(Put(volume("a", driver="other")), Delete("volume", "b"), Delete("volume", "never"))
    records = await reopened(path, records)
    assert records.load().records == (volume("a", driver="other"),)
    await records.close()


async def test_commits_of_many_tasks_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    records = SqliteRecords(path)
    await asyncio.gather(*(records.commit(Put(volume("a", driver=str(n)))) for n in range(200)))
    records = await reopened(path, records)
    assert records.load().records == (volume("a", driver="199"),)
    await records.close()


async def test_a_damaged_record_is_named_and_set_aside_and_the_others_live(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    records = SqliteRecords(path)
    await records.commit(Put(volume("bad")), Put(volume("good")))
    await records.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE record SET body = CAST(replace(body, 'local', 'lokal') AS BLOB) WHERE key = 'bad'")
    connection.close()
    records = SqliteRecords(path)
    loaded = records.load()
    assert loaded.records == (volume("good"),)
    assert [(damage.kind, damage.key) for damage in loaded.corrupt] == [("volume", "bad")]
    records = await reopened(path, records)
    assert records.load().corrupt == ()
    await records.close()


async def test_a_full_disk_keeps_nothing_of_the_commit_and_everything_before(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    records = SqliteRecords(path)
    await records.commit(Put(volume("small")))
    records._connection.execute("PRAGMA max_page_count = 16")
    with pytest.raises(SystemFailure, match="full"):
        await records.commit(Put(volume("before")), Put(volume("big", labels={"x": "y" * 1_000_000})))
    await records.commit(Put(volume("after")))
    records = await reopened(path, records)
    assert {record.key for record in records.load().records} == {"small", "after"}
    await records.close()


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(SystemFailure, match="cannot be opened"):
        SqliteRecords(path)
    assert path.read_bytes().startswith(b"not a database")


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(SystemFailure, match="newer"):
        SqliteRecords(path)


async def test_a_closed_store_refuses(tmp_path: Path) -> None:
    records = SqliteRecords(tmp_path / "state.db")
    await records.close()
    await records.close()
    with pytest.raises(SystemFailure, match="closed"):
        await records.commit(Put(volume("a")))
