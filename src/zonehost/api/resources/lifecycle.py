"""The life of containers: started, stopped, waited for."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.delivery import json_line
from zonehost.api.routing import Route
from zonehost.engine.container.kill import kill
from zonehost.engine.container.pause import pause, unpause
from zonehost.engine.container.resize import resize
from zonehost.engine.container.restart import restart
from zonehost.engine.container.start import start
from zonehost.engine.container.stop import stop
from zonehost.engine.container.wait import WaitCondition, wait
from zonehost.errors import InvalidParameter

_WHOLE: Final = re.compile(r"-?[0-9]{1,20}")
_MOST_CELLS: Final = 0xFFFF
"""Rows or columns that a terminal can have at the most (struct winsize, ioctl_tty(2))."""


async def start_container(call: Call) -> web.StreamResponse:
    await start(call.host, call.name)
    return answers.empty()


async def stop_container(call: Call) -> web.StreamResponse:
    await stop(call.host, call.name, signal=call.text("signal"), timeout=_timeout(call))
    return answers.empty()


async def restart_container(call: Call) -> web.StreamResponse:
    await restart(call.host, call.name, signal=call.text("signal"), timeout=_timeout(call))
    return answers.empty()


async def kill_container(call: Call) -> web.StreamResponse:
    await kill(call.host, call.name, signal=call.text("signal"))
    return answers.empty()


async def pause_container(call: Call) -> web.StreamResponse:
    await pause(call.host, call.name)
    return answers.empty()


async def unpause_container(call: Call) -> web.StreamResponse:
    await unpause(call.host, call.name)
    return answers.empty()


async def resize_container(call: Call) -> web.StreamResponse:
    rows, columns = console_size(call)
    await resize(call.host, call.name, rows=rows, columns=columns)
    return answers.empty(200)


async def wait_for_container(call: Call) -> web.StreamResponse:
    """The head of the answer is sent before the wait: the docker command starts a container only when it has it."""
    text = call.text("condition") or WaitCondition.NOT_RUNNING
    if text not in list(WaitCondition):
        raise InvalidParameter(f'invalid condition: "{text}"')
    ended = await wait(call.host, call.name, WaitCondition(text))
    if call.version < (1, 30):
        return answers.document({"StatusCode": (await ended).code})
    response = await answers.stream(call.request, answers.JSON)
    waited = await ended
    answer = {"StatusCode": waited.code, **({"Error": {"Message": waited.error}} if waited.error else {})}
    await response.write(json_line(answer))
    return response


def console_size(call: Call) -> tuple[int, int]:
    """Rows and columns of the parameters `h` and `w`.

    Raises:
        InvalidParameter: one is missing, or no size; names it.
    """
    return _cells(call, "h", "height"), _cells(call, "w", "width")


def _cells(call: Call, parameter: str, what: str) -> int:
    text = call.text(parameter)
    if _WHOLE.fullmatch(text) is None:
        raise InvalidParameter(f'invalid resize {what} "{text}": invalid syntax')
    if not 0 <= int(text) <= _MOST_CELLS:
        raise InvalidParameter(f'invalid resize {what} "{text}": value out of range')
    return int(text)


def _timeout(call: Call) -> int | None:
    return call.number("t") if call.text("t") else None


ROUTES: Final = (
    Route("POST", "/containers/{name}/start", start_container, verb=True),
    Route("POST", "/containers/{name}/stop", stop_container, verb=True),
    Route("POST", "/containers/{name}/restart", restart_container, verb=True),
    Route("POST", "/containers/{name}/kill", kill_container, verb=True),
    Route("POST", "/containers/{name}/pause", pause_container, verb=True),
    Route("POST", "/containers/{name}/unpause", unpause_container, verb=True),
    Route("POST", "/containers/{name}/resize", resize_container, verb=True),
    Route("POST", "/containers/{name}/wait", wait_for_container),
)
