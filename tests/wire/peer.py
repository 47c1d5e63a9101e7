"""A client of the API over a host of fakes: asks, decodes, and holds what comes back against the contract.

Fields that Docker still sends and no longer documents are named here, each with its reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.fakes.host import World, running_world
from tests.wire.contract import UnknownOperation, contract
from zonehost.api.application import Api
from zonehost.domain.config import Config

UNDOCUMENTED = {
    "status": "events: read by clients of before API 1.22, sent up to 1.51",
    "id": "as `status`",
    "from": "as `status`",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is decoded if it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def message(self) -> str:
        """The sentence of an error."""
        return str(self.body["message"])


class Peer:
    """Speaks to one API."""

    def __init__(self, world: World, path: str, session: aiohttp.ClientSession) -> None:
        self.world = world
        self.path = path
        self.session = session

    async def ask(self, method: str, path: str, body: Any = None, *, version: str = "v1.51") -> Answer:
        """One request; JSON of the newest version is held against the contract."""
        kind = {} if body is None else {"Content-Type": "application/json"}
        async with self.session.request(method, f"http://d/{version}{path}", json=body, headers=kind) as response:
            data = await response.read()
            headers = dict(response.headers.items())
            is_json = headers.get("Content-Type") == "application/json" and data
            answer = Answer(response.status, headers, json.loads(data) if is_json else data)
        if is_json and version == "v1.51":
            check(method, urlsplit(path).path, answer)
        return answer

    async def send(self, method: str, path: str, data: bytes, *, version: str = "v1.51") -> Answer:
        """One request with a body that is no JSON."""
        async with self.session.request(method, f"http://d/{version}{path}", data=data) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def create(self, *cmd: str, name: str = "", **more: Any) -> str:
        """A container of busybox; its id."""
        body = {"Image": "busybox", "Cmd": list(cmd), **more}
        made = await self.ask("POST", f"/containers/create?name={name}" if name else "/containers/create", body)
        assert made.status == 201, made.body
        return str(made.body["Id"])

    async def run(self, *cmd: str, name: str = "", **more: Any) -> str:
        """A container of busybox that runs; its id."""
        made = await self.create(*cmd, name=name, **more)
        started = await self.ask("POST", f"/containers/{made}/start")
        assert started.status == 204, started.body
        return made

    async def hijack(self, path: str, body: Any = None, *, version: str = "v1.51") -> Hijacked:
        """A connection that has been taken over: its head and its streams."""
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"POST /{version}{path} HTTP/1.1", "Host: d", "Connection: Upgrade", "Upgrade: tcp"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"] if data else []
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        return Hijacked(head, reader, writer)


@dataclass(frozen=True, slots=True)
class Hijacked:
    """A connection that is no longer HTTP's."""

    head: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def frames(self) -> list[tuple[int, bytes]]:
        """All frames to the end: the stream and the bytes."""
        frames = []
        data = await self.reader.read()
        self.writer.close()
        while data:
            size = int.from_bytes(data[4:8], "big")
            frames.append((data[0], data[8 : 8 + size]))
            data = data[8 + size :]
        return frames


def check(method: str, path: str, answer: Answer) -> None:
    """Hold an answer against the contract, as far as that knows the path; it does not list all errors."""
    if answer.status >= 400:
        assert contract().problems_of("ErrorResponse", answer.body) == []
        return
    try:
        problems = contract().problems(method, path, answer.status, answer.body)
    except UnknownOperation:
        return
    known = tuple(f".{name}: not in the contract" for name in UNDOCUMENTED)
    assert [problem for problem in problems if not problem.endswith(known)] == []


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[Peer]:
    """A client of an API over a world with busybox in it."""
    async with running_world() as world:
        await world.add_image("busybox", Config(cmd=("sleep",), env=("PATH=/bin",), labels={"from": "image"}))
        api = Api(world.host)
        path = str(folder / "s")
        listener = await asyncio.get_running_loop().create_unix_server(api.connection, path)
        connector = aiohttp.UnixConnector(path)
        async with aiohttp.ClientSession(connector=connector, skip_auto_headers=["Content-Type"]) as session:
            yield Peer(world, path, session)
        listener.close()
        await api.close(1)
