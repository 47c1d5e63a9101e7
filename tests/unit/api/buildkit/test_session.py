"""What a session is asked, against a client in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.unit.api.buildkit.wires import MemoryWire, calling
from zonehost.api.buildkit import grpc
from zonehost.api.buildkit.grpc import Refused, ServedCall
from zonehost.api.buildkit.messages import (
    AgentRequest,
    BytesMessage,
    CredentialsRequest,
    CredentialsResponse,
    Empty,
    Packet,
    SecretRequest,
    Stat,
    Status,
)
from zonehost.api.buildkit.session import Session, Sessions
from zonehost.errors import Conflict, InvalidParameter, NotFound
from zonehost.ports.registry import Login

NONE = Refused(Status(code=grpc.NOT_FOUND, message="not found"))


async def credentials(call: ServedCall) -> None:
    host = (await call.one(CredentialsRequest)).host
    known = {"registry-1.docker.io": ("hub", "s"), "r:5000": ("me", "secret"), "token": ("", "t")}
    username, secret = known.get(host, ("", ""))
    await call.send(CredentialsResponse(username=username, secret=secret))


async def secret(call: ServedCall) -> None:
    name = (await call.one(SecretRequest)).id
    if name == "broken":
        raise Refused(Status(code=grpc.UNKNOWN, message="cannot be read"))
    if name != "known":
        raise NONE
    await call.send(BytesMessage(data=b"value"))


async def agent(call: ServedCall) -> None:
    if (await call.one(AgentRequest)).id != "default":
        raise Refused(Status(code=grpc.UNKNOWN, message="unset ssh forward key"))
    await call.send(Empty())


async def forward(call: ServedCall) -> None:
    assert call.metadata("buildkit.ssh.id") == "default"
    while (message := await call.receive(BytesMessage)) is not None:
        await call.send(BytesMessage(data=message.data.upper()))


async def files(call: ServedCall) -> None:
    assert call.metadata("dir-name") == "context"
    assert call.metadata("exclude-patterns") == "%C3%A4,b+c"
    assert call.metadata("exclude-patterns-encoded") == "1"
    await call.send(Packet(stat=Stat(path="f", size=1)), Packet())
    await call.receive(Packet)
    await call.send(Packet(type=2, data=b"x"), Packet(type=2))
    await call.receive(Packet)
    await call.send(Packet(type=3))


METHODS = {
    "/moby.filesync.v1.Auth/Credentials": credentials,
    "/moby.buildkit.secrets.v1.Secrets/GetSecret": secret,
    "/moby.sshforward.v1.SSH/CheckAgent": agent,
    "/moby.sshforward.v1.SSH/ForwardAgent": forward,
    "/moby.filesync.v1.FileSync/DiffCopy": files,
}


async def test_logins_and_secrets() -> None:
    async with calling(METHODS) as (caller, _):
        session = Session(caller)
        assert await session.login("docker.io") == Login(username="hub", password="s")
        assert await session.login("r:5000") == Login(username="me", password="secret")
        assert await session.login("token") == Login(identitytoken="t")
        assert await session.login("other") is None
        assert await session.secret("known") == b"value"
        assert await session.secret("unknown") is None
        with pytest.raises(InvalidParameter, match="cannot be read"):
            await session.secret("broken")
    async with calling({}) as (caller, _):
        assert await Session(caller).secret("known") is None, "a client may offer no secrets at all"


async def test_an_agent_at_a_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "agent")
    async with calling(METHODS) as (caller, _):
        session = Session(caller)
        async with session.agent("", path):
            reader, end = await asyncio.open_unix_connection(path)
            end.write(b"sign this")
            assert await reader.readexactly(9) == b"SIGN THIS"
            end.write_eof()
            assert await reader.read() == b""
            end.close()
        assert not Path(path).exists()
        with pytest.raises(NotFound):
            async with session.agent("other", path):
                raise AssertionError("there is none")


async def test_patterns_that_are_not_ascii_are_marked() -> None:
    async with calling(METHODS) as (caller, _):
        pieces = [piece async for piece in Session(caller).files("context", exclude_patterns=("ä", "b c"))]
        assert b"".join(pieces).startswith(b"f\0")


async def test_a_build_waits_for_its_session_and_two_of_one_name_do_not_go() -> None:
    sessions = Sessions()
    wire = MemoryWire()
    wire.other = MemoryWire()
    waiting = asyncio.create_task(sessions.find("s"))
    await asyncio.sleep(0)
    holding = asyncio.create_task(sessions.hold("s", wire))
    found = await asyncio.wait_for(waiting, 5)
    assert await sessions.find("s") is found
    with pytest.raises(Conflict, match="session s already exists"):
        sessions.check("s")
    wire.cut()
    await holding
    sessions.check("s")
