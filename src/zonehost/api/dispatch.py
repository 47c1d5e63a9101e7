"""From a request to its handler, and from what the handler raises to an answer.

Owns versions in paths, unknown pages, and who is waited for: a verb that has begun is brought to its end although its
client has gone; everything else ends with its client.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar, cast

from aiohttp import web

from zonehost.api import answers, version
from zonehost.api.call import Call
from zonehost.api.connection import Connection
from zonehost.api.routing import Route, Table
from zonehost.engine.host import Host
from zonehost.errors import ZonehostError

T = TypeVar("T")

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_log = logging.getLogger(__name__)


class Dispatcher:
    """The handler of all requests."""

    def __init__(self, host: Host, table: Table) -> None:
        self._host = host
        self._table = table
        self._verbs: set[asyncio.Task[Any]] = set()
        self._watchers: set[asyncio.Task[Any]] = set()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast(Connection, request.protocol)
        connection.begin()
        try:
            return await self._answer(request)
        except ZonehostError as error:
            if request.writer.output_size > 0:
                # The status is out: what can still be said is that the answer is not whole.
                _log.warning("%s %s broke off: %s", request.method, request.path, error)
                raise ConnectionError(str(error)) from error
            return answers.refusal(error)
        finally:
            connection.end()

    async def drain(self, seconds: float) -> None:
        """End all calls that only watch, and wait so long for the verbs that have begun."""
        for task in tuple(self._watchers):
            task.cancel()
        if self._verbs:
            await asyncio.wait(self._verbs, timeout=seconds)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        spoken, path = version.split(request.path)
        found = self._table.find(request.method, path)
        if found is None:
            if request.method == "OPTIONS":
                return answers.empty(200)
            return answers.message(404, "page not found")
        route, names = found
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(_CONTINUE)
        call = Call(host=self._host, request=request, version=spoken, names=names, finish=self._finish)
        return await (self._finish(route.handler(call)) if route.verb else self._watch(route, call))

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work in a task of its own, which the client's end does not reach."""
        task = asyncio.create_task(work)
        self._verbs.add(task)
        task.add_done_callback(self._verbs.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_report_orphan)
            raise

    async def _watch(self, route: Route, call: Call) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._watchers.add(task)
        try:
            return await route.handler(call)
        finally:
            self._watchers.discard(task)


def _report_orphan(task: asyncio.Task[Any]) -> None:
    """Say how a verb ended that nobody waits for any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("a verb whose client had gone failed: %s", error, exc_info=_unforeseen(error))


def _unforeseen(error: BaseException) -> BaseException | None:
    """What is worth a traceback: no error of ours, and not that the client, being gone, sends no more of its body."""
    return None if isinstance(error, (ZonehostError, ConnectionError)) else error
