"""The suite of the records port, on the real store."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from zonehost.domain.config import Config
from zonehost.domain.container import Container
from zonehost.domain.host_config import HostConfig
from zonehost.domain.image import Image, Tag
from zonehost.domain.phase import Phase
from zonehost.domain.volume import Volume
from zonehost.errors import SystemFailure
from zonehost.ports.records import Delete, Loaded, Put
from zonehost.store.codec import encode
from zonehost.store.schema import MIGRATIONS
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


def damage(path: Path, key: str) -> None:
    """Change a row behind its checksum."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE record SET body = CAST(replace(body, 'local', 'lokal') AS BLOB) WHERE key = ?", (key,))
    connection.commit()
    connection.close()


async def test_a_record_that_is_damaged_in_both_files_is_named_and_set_aside_and_the_others_live(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.db"
    records = SqliteRecords(path)
    await records.commit(Put(volume("bad")), Put(volume("good")))
    await records.close()
    damage(path, "bad")
    damage(tmp_path / "state.copy.db", "bad")
    records = SqliteRecords(path)
    loaded = records.load()
    assert loaded.records == (volume("good"),)
    assert [(found.kind, found.key, found.restored) for found in loaded.corrupt if found.kind == "volume"] == [
        ("volume", "bad", False)
    ]
    records = await reopened(path, records)
    assert records.load().corrupt == ()
    assert ("volume", "bad") in records.load().aside
    await records.close()


async def test_a_damaged_record_is_restored_from_the_copy_and_named(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    records = SqliteRecords(path)
    await records.commit(Put(volume("bad")), Put(volume("good")))
    await records.close()
    damage(path, "bad")
    records = SqliteRecords(path)
    loaded = records.load()
    assert {record.key for record in loaded.records} == {"bad", "good"}
    assert ("volume", "bad", True) in [(found.kind, found.key, found.restored) for found in loaded.corrupt]
    assert not loaded.aside
    records = await reopened(path, records)
    assert records.load().corrupt == ()
    await records.close()


async def test_a_row_that_vanished_comes_back_from_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    records = SqliteRecords(path)
    await records.commit(Put(volume("a")), Put(volume("b")))
    await records.close()
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM record WHERE key = 'a'")
    connection.commit()
    connection.close()
    records = SqliteRecords(path)
    assert {record.key for record in records.load().records} == {"a", "b"}
    assert [found.kind for found in records.load().corrupt] == ["state"]
    await records.close()


@pytest.mark.parametrize("which", ["state.db", "state.db-wal", "state.copy.db", "state.copy.db-wal"])
@pytest.mark.parametrize("how", ["cut", "flipped", "missing"])
async def test_damage_to_one_file_loses_nothing(tmp_path: Path, which: str, how: str) -> None:
    """The files are as a crash leaves them, with their logs, at many places one after the other."""
    dice = random.Random(f"{which} {how}")
    origin = tmp_path / "origin"
    origin.mkdir()
    records = SqliteRecords(origin / "state.db")
    wanted = {f"v{number}": volume(f"v{number}", driver="x" * number) for number in range(40)}
    for one in wanted.values():
        await records.commit(Put(one))
    await records.commit(Put(volume("gone")))
    await records.commit(Delete("volume", "gone"))
    crashed = tmp_path / "crashed"
    while not _equal_in_both(origin, crashed):  # the copy is written after the answer
        shutil.rmtree(crashed)
    await records.close()
    for _ in range(1 if how == "missing" else 25):
        tried = tmp_path / "tried"
        shutil.copytree(crashed, tried)
        _spoil(tried / which, how, dice)
        again = SqliteRecords(tried / "state.db")
        assert {record.key: record for record in again.load().records} == wanted
        await again.commit(Put(volume("later")))
        again = await reopened(tried / "state.db", again)
        assert {record.key: record for record in again.load().records} == {**wanted, "later": volume("later")}
        assert not again.load().corrupt
        await again.close()
        shutil.rmtree(tried)


def _equal_in_both(origin: Path, crashed: Path) -> bool:
    """Copy the files as they are; whether both hold all transactions."""
    shutil.copytree(origin, crashed)
    looked = crashed.with_name("looked")
    shutil.copytree(crashed, looked)
    heads = []
    for name in ("state.db", "state.copy.db"):
        connection = sqlite3.connect(looked / name)
        heads.append(connection.execute("SELECT sequence, digest FROM head").fetchone())
        connection.close()
    shutil.rmtree(looked)
    return len(set(heads)) == 1


def _spoil(path: Path, how: str, dice: random.Random) -> None:
    size = path.stat().st_size
    match how:
        case "missing":
            path.unlink()
        case "cut":
            os.truncate(path, dice.randrange(size))
        case "flipped":
            content = bytearray(path.read_bytes())
            content[dice.randrange(size)] ^= 1 << dice.randrange(8)
            path.write_bytes(content)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 800 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=800k", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk_keeps_nothing_of_the_commit_and_everything_before(small_disk: Path) -> None:
    path = small_disk / "state.db"
    records = SqliteRecords(path)
    await records.commit(Put(volume("small")))
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


async def test_a_file_of_an_older_version_is_read_and_gets_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    row = encode(volume("old"))
    with sqlite3.connect(path) as connection:
        connection.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
        connection.execute("INSERT INTO record VALUES (?, ?, ?, ?)", row)
    connection.close()
    records = SqliteRecords(path)
    assert records.load() == Loaded((volume("old"),), ())
    await records.commit(Put(volume("new")))
    await records.close()
    path.write_bytes(b"")
    records = SqliteRecords(path)
    assert {record.key for record in records.load().records} == {"old", "new"}
    await records.close()


async def test_a_closed_store_refuses(tmp_path: Path) -> None:
    records = SqliteRecords(tmp_path / "state.db")
    await records.close()
    await records.close()
    with pytest.raises(SystemFailure, match="closed"):
        await records.commit(Put(volume("a")))
