"""How the calls of one solve come together, with a builder that builds nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.api.buildkit.wires import MemoryWire
from zonehost.api.buildkit.control import Control
from zonehost.api.buildkit.grpc import Caller, Refused
from zonehost.api.buildkit.http2 import Connection
from zonehost.api.buildkit.messages import (
    Empty,
    Exporter,
    GatewaySolveRequest,
    Result,
    ReturnRequest,
    SolveRequest,
    SolveResponse,
    Status,
    StatusRequest,
    StatusResponse,
)
from zonehost.api.buildkit.session import Sessions

CONTROL = "/moby.buildkit.v1.Control/"
BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"


class Client:
    """Calls one control."""

    def __init__(self) -> None:
        machine = SimpleNamespace(facts=SimpleNamespace(architecture="x86_64"))
        settings = SimpleNamespace(host_gateway="10.0.0.1")
        host: Any = SimpleNamespace(builder=object(), build_cache=None, machine=machine, settings=settings)
        near, far = MemoryWire(), MemoryWire()
        near.other, far.other = far, near
        self.wire = near
        self.connection = Connection(near)
        self._tasks = [
            asyncio.create_task(self.connection.run()),
            asyncio.create_task(Connection(far, Control(host, Sessions()).serve).run()),
        ]
        self.caller = Caller(self.connection)

    async def solve(self, request: SolveRequest) -> SolveResponse:
        return await self.caller.ask(CONTROL + "Solve", request, SolveResponse)

    async def bridge(self, method: str, ref: str, request: Any) -> None:
        call = await self.caller.open(BRIDGE + method, {"buildkit-controlapi-buildid": (ref,)})
        await call.send(request)
        await call.end()
        assert await call.receive(Empty) is not None or method == "Solve"
        await call.finished()

    async def status(self, ref: str) -> list[StatusResponse]:
        call = await self.caller.open(CONTROL + "Status")
        await call.send(StatusRequest(ref=ref))
        await call.end()
        found = []
        while (message := await call.receive(StatusResponse)) is not None:
            found.append(message)
        await call.finished()
        return found

    async def close(self) -> None:
        self.wire.cut()
        await asyncio.gather(*self._tasks)


async def test_a_client_that_only_wants_to_know_what_can_be_asked() -> None:
    client = Client()
    solving = asyncio.create_task(client.solve(SolveRequest(ref="r", session="s")))
    await client.bridge("Ping", "r", Empty())
    await asyncio.sleep(0)
    status = asyncio.create_task(client.status("r"))
    await client.bridge("Return", "r", ReturnRequest(result=Result()))
    assert (await solving).exporter_response == {}
    assert await asyncio.wait_for(status, 5) == []
    await client.close()


async def test_the_parts_of_a_solve_come_in_any_order() -> None:
    client = Client()
    returning = asyncio.create_task(client.bridge("Return", "r", ReturnRequest(result=Result())))
    status = asyncio.create_task(client.status("r"))
    for _ in range(5):
        await client.bridge("Ping", "r", Empty())
    assert not returning.done()
    solving = asyncio.wait_for(client.solve(SolveRequest(ref="r", session="s")), 5)
    assert (await solving).exporter_response == {}
    await returning
    assert await status == []
    await client.close()


async def test_what_comes_after_the_end_is_answered_at_once() -> None:
    client = Client()
    with pytest.raises(Refused, match="the exporter oci is not supported"):
        await client.solve(SolveRequest(ref="r", exporters=(Exporter(type="oci"),)))
    with pytest.raises(Refused, match="the build r has ended"):
        await asyncio.wait_for(client.bridge("Solve", "r", GatewaySolveRequest(frontend="x")), 5)
    await asyncio.wait_for(client.bridge("Return", "r", ReturnRequest(result=Result())), 5)
    await client.close()


async def test_a_status_that_is_asked_for_after_the_end_ends_too() -> None:
    client = Client()
    with pytest.raises(Refused, match="the exporter oci is not supported"):
        await client.solve(SolveRequest(ref="r", exporters=(Exporter(type="oci"),)))
    assert await asyncio.wait_for(client.status("r"), 5) == []
    await client.close()


async def test_what_is_no_dockerfile_is_refused_on_all_calls() -> None:
    client = Client()
    solving = asyncio.create_task(client.solve(SolveRequest(ref="r", session="s")))
    with pytest.raises(Refused, match=r"the frontend gateway.v0 is not supported"):
        await client.bridge("Solve", "r", GatewaySolveRequest(frontend="gateway.v0"))
    with pytest.raises(Refused, match=r"the frontend gateway.v0 is not supported"):
        await solving
    await client.close()


async def test_a_client_whose_own_part_failed_gets_its_words_back() -> None:
    client = Client()
    solving = asyncio.create_task(client.solve(SolveRequest(ref="r", session="s")))
    refusal = ReturnRequest(error=Status(code=2, message="not as wanted"))
    await client.bridge("Return", "r", refusal)
    with pytest.raises(Refused, match="not as wanted"):
        await solving
    await client.close()
