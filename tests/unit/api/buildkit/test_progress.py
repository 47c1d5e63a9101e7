"""A build as vertices."""

from __future__ import annotations

import asyncio

import pytest

from zonehost.api.buildkit.messages import StatusResponse, Vertex
from zonehost.api.buildkit.progress import FEW, Progress
from zonehost.errors import InvalidParameter
from zonehost.ports.build_listener import StepShown


async def told(progress: Progress) -> list[StatusResponse]:
    progress.close()
    return [message async for message in progress.messages()]


def ends(messages: list[StatusResponse]) -> list[tuple[str, bool, str]]:
    done = [vertex for message in messages for vertex in message.vertexes if vertex.completed is not None]
    return [(vertex.name, vertex.cached, vertex.error) for vertex in done]


def step(text: str, place: int, stage: str = "") -> StepShown:
    return StepShown(text=text, number=1, total=9, stage=stage, place=place, places=3)


async def test_steps_that_take_time_are_vertices() -> None:
    progress = Progress("b")
    progress.begin([0, 1])
    voice = progress.voice(1)
    voice.begin(step("FROM a", 1))
    voice.pulling({"id": "layer", "status": "Downloading", "progressDetail": {"current": 1, "total": 2}})
    voice.pulling({"id": "layer", "status": "Pull complete", "progressDetail": {}})
    voice.made("id")
    voice.begin(step("ENV A=1", 0))
    voice.made("id")
    voice.begin(step("RUN x", 2, "named"))
    voice.cached("made 1h ago")
    voice.made("id")
    voice.begin(step("RUN y", 3))
    await voice.output(b"out\n")
    voice.failed(InvalidParameter("it failed"))
    voice.finish()
    messages = await told(progress)
    assert ends(messages) == [
        ("[stage-1 1/3] FROM a", False, ""),
        ("[named 2/3] RUN x", True, ""),
        ("[stage-1 3/3] RUN y", False, "it failed"),
    ]
    logs = [log for message in messages for log in message.logs]
    assert [log.msg for log in logs] == [b"made 1h ago\n", b"out\n"]
    transfers = [status for message in messages for status in message.statuses]
    assert [(status.id, status.current, status.completed is not None) for status in transfers] == [
        ("layer", 1, False),
        ("layer", 0, True),
    ]


async def test_a_vertex_has_one_digest_and_begins_once() -> None:
    progress = Progress("b")
    voice = progress.voice(0)
    voice.begin(step("FROM a", 1))
    voice.made("")
    vertexes: list[Vertex] = [vertex for message in await told(progress) for vertex in message.vertexes]
    assert len(vertexes) == 2
    assert vertexes[0].digest == vertexes[1].digest
    assert vertexes[0].started == vertexes[1].started
    assert vertexes[0].name == "[1/3] FROM a", "the only stage needs no name"


async def test_what_is_given_up_is_canceled() -> None:
    progress = Progress("b")
    voice = progress.voice(0)
    voice.begin(step("RUN x", 1))
    voice.finish()
    with pytest.raises(asyncio.CancelledError), progress.internal("[internal] load"):
        raise asyncio.CancelledError
    with pytest.raises(InvalidParameter), progress.internal("[internal] other"):
        raise InvalidParameter("no")
    assert ends(await told(progress)) == [
        ("[1/3] RUN x", False, "context canceled"),
        ("[internal] load", False, "context canceled"),
        ("[internal] other", False, "no"),
    ]


async def test_output_waits_for_a_client_that_listens_and_for_no_other() -> None:
    progress = Progress("b")
    voice = progress.voice(0)
    voice.begin(step("RUN x", 1))
    for _ in range(2 * FEW):
        await voice.output(b"x")
    reading = progress.messages()
    await anext(reading)
    writing = asyncio.create_task(voice.output(b"x"))
    await asyncio.wait((writing,), timeout=0.05)
    assert not writing.done()
    for _ in range(2 * FEW):
        await anext(reading)
    await asyncio.wait_for(writing, 5)
    await reading.aclose()
