"""The calls that BuildKit's clients make: its control API, the gateway that works on one solve, and health.

Source: BuildKit v0.25, api/services/control/control.proto, frontend/gateway/pb/gateway.proto.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from zonehost import __version__
from zonehost.api.buildkit import faults, grpc
from zonehost.api.buildkit.grpc import ServedCall
from zonehost.api.buildkit.http2 import Stream
from zonehost.api.buildkit.messages import (
    SERVING,
    BuildkitVersion,
    BytesMessage,
    Capability,
    DiskUsageRequest,
    DiskUsageResponse,
    Empty,
    GatewaySolveRequest,
    GatewaySolveResponse,
    InfoResponse,
    ListWorkersResponse,
    Platform,
    PongResponse,
    PruneRequest,
    Ref,
    Result,
    ReturnRequest,
    SolveRequest,
    SolveResponse,
    StatusRequest,
    Timestamp,
    UsageRecord,
    WorkerRecord,
)
from zonehost.api.buildkit.progress import Progress
from zonehost.api.buildkit.references import definition_of
from zonehost.api.buildkit.session import Sessions
from zonehost.api.buildkit.solve import BEGIN_SECONDS, Order, Solve
from zonehost.domain.filters import Filters
from zonehost.engine.build.prune import prune_builds
from zonehost.engine.container.etc import host_gateway
from zonehost.engine.host import Host
from zonehost.engine.image.platform import host_platform
from zonehost.errors import Conflict, InvalidParameter, NotFound, Unsupported
from zonehost.ports.build_cache import CachedStep
from zonehost.ports.builder import Built

_CONTROL: Final = "/moby.buildkit.v1.Control/"
_BRIDGE: Final = "/moby.buildkit.v1.frontend.LLBBridge/"
_BUILD: Final = "buildkit-controlapi-buildid"
_SESSION: Final = "x-docker-expose-session-uuid"
_VERSION: Final = BuildkitVersion(package="zonehost", version=__version__)
_GATEWAY: Final = "org.mobyproject.buildkit.worker.moby.host-gateway-ip"
"""The label under which clients look up what `--add-host name:host-gateway` is."""
_SECOND: Final = 10**9
_REMEMBERED: Final = 32

FRONTEND_CAPABILITIES: Final = (
    "solve.base",
    "return",
    "returnmap",
    "proto.refarray",
    "importcaches",
    "frontend.inputs",
    "frontend.caps",
    "reference.output",
    "gateway.evaluate",
    "gateway.solve.evaluate",
)
"""What of the gateway is here: no reading of files of a result, no containers in it."""
OPERATION_CAPABILITIES: Final = ("source.local", "source.local.sessionid", "exporter.multiple")
"""Operations (LLB) cannot be carried out here; several exporters in one solve can."""


class Control:
    """All calls of all clients."""

    def __init__(self, host: Host, sessions: Sessions) -> None:
        self._host = host
        self._sessions = sessions
        self._solves: dict[str, Solve] = {}
        self._expected: dict[str, asyncio.Event] = {}
        self._built: dict[str, Built] = {}
        self._unread: dict[str, Progress] = {}
        """Of solves that ended before their client asked how they go on."""
        self._ended: dict[str, None] = {}
        """The last solves that ended: a call that comes late needs not wait for one of them."""
        self._methods: Final = {
            _CONTROL + "Solve": self._solve,
            _CONTROL + "Status": self._status,
            _CONTROL + "Session": self._session,
            _CONTROL + "ListWorkers": self._workers,
            _CONTROL + "Info": self._info,
            _CONTROL + "DiskUsage": self._disk_usage,
            _CONTROL + "Prune": self._prune,
            _BRIDGE + "Ping": self._ping,
            _BRIDGE + "Solve": self._gateway_solve,
            _BRIDGE + "Evaluate": self._evaluate,
            _BRIDGE + "Return": self._return,
            _BRIDGE + "Inputs": self._inputs,
            "/grpc.health.v1.Health/Check": self._health,
        }

    async def serve(self, stream: Stream) -> None:
        """Answer one call."""
        await grpc.serve(stream, self._methods, faults.status_of)

    @contextmanager
    def solving(self, ref: str) -> Iterator[Solve]:
        """A solve under this id, for as long as it goes on. Raises Conflict if there is one."""
        builder = self._host.builder
        if builder is None:
            raise Unsupported("this host does not build images")
        if ref in self._solves:
            raise Conflict(f"the build {ref} goes on already")
        self._ended.pop(ref, None)
        solve = self._solves[ref] = Solve(ref, builder, self._sessions, self._built)
        if (expected := self._expected.pop(ref, None)) is not None:
            expected.set()
        try:
            yield solve
        finally:
            self._solves.pop(ref)
            self._built.pop(ref, None)
            if not solve.progress.was_read:
                self._unread[ref] = solve.progress
            self._ended[ref] = None
            for remembered in (self._unread, self._ended):
                while len(remembered) > _REMEMBERED:
                    remembered.pop(next(iter(remembered)))

    def cancel(self, ref: str) -> None:
        """End a solve, if it goes on."""
        if ref in self._solves:
            self._solves[ref].cancel()

    async def _solve(self, call: ServedCall) -> None:
        request = await call.one(SolveRequest)
        with self.solving(request.ref) as solve:
            response = await solve.run(request)
        await call.send(SolveResponse(exporter_response=response))

    async def _status(self, call: ServedCall) -> None:
        ref = (await call.one(StatusRequest)).ref
        progress = self._unread.pop(ref, None) or (await self._found(ref)).progress
        async for message in progress.messages():
            await call.send(message)

    async def _session(self, call: ServedCall) -> None:
        """A session within the connection: targets of one command share it."""
        name = call.metadata(_SESSION)
        self._sessions.check(name)
        await self._sessions.hold(name, _Nested(call))

    async def _gateway_solve(self, call: ServedCall) -> None:
        solve = await self._found(call.metadata(_BUILD))
        request = await call.one(GatewaySolveRequest)
        order = Order(request.frontend, request.frontend_attrs, request.cache_imports, request.frontend_inputs)
        self._built[solve.ref] = await solve.build(order)
        ref = Ref(id=solve.ref, definition=definition_of(solve.ref))
        await call.send(GatewaySolveResponse(result=Result(ref=ref)))

    async def _evaluate(self, call: ServedCall) -> None:
        """Results are whole when they are named."""
        await call.send(Empty())

    async def _return(self, call: ServedCall) -> None:
        request = await call.one(ReturnRequest)
        with suppress(NotFound):  # it has ended, by itself
            (await self._found(call.metadata(_BUILD))).agree(request.error)
        await call.send(Empty())

    async def _inputs(self, call: ServedCall) -> None:
        await call.send(Empty())

    async def _ping(self, call: ServedCall) -> None:
        response = PongResponse(
            frontend_capabilities=tuple(Capability(id=name, enabled=True) for name in FRONTEND_CAPABILITIES),
            operation_capabilities=tuple(Capability(id=name, enabled=True) for name in OPERATION_CAPABILITIES),
            workers=(self._worker(),),
        )
        await call.send(response)

    async def _workers(self, call: ServedCall) -> None:
        await call.send(ListWorkersResponse(record=(self._worker(),)))

    async def _info(self, call: ServedCall) -> None:
        await call.send(InfoResponse(buildkit_version=_VERSION))

    async def _health(self, call: ServedCall) -> None:
        await call.send(SERVING)

    async def _disk_usage(self, call: ServedCall) -> None:
        request = await call.one(DiskUsageRequest)
        if any(request.filter) or request.age_limit:
            raise Unsupported("filters of the build cache are not supported")
        cache = self._host.build_cache
        await call.send(DiskUsageResponse(record=tuple(map(_record, cache.steps() if cache is not None else ()))))

    async def _prune(self, call: ServedCall) -> None:
        request = await call.one(PruneRequest)
        if any(request.filter) or request.min_free_space:
            raise Unsupported("the build cache is pruned by size and age alone")
        cache = self._host.build_cache
        steps = {step.key: step for step in cache.steps()} if cache is not None else {}
        keep = max(request.reserved_space, request.max_used_space)
        filters = Filters({"until": (f"{request.keep_duration}ns",)} if request.keep_duration else {})
        pruned = await prune_builds(self._host, all_steps=request.all, keep=keep, filters=filters)
        for key in pruned.keys:
            await call.send(_record(steps[key]))

    def _worker(self) -> WorkerRecord:
        platform = host_platform(self._host)
        wire = Platform(architecture=platform.architecture, os=platform.os, variant=platform.variant)
        labels = {}
        with suppress(InvalidParameter):
            labels[_GATEWAY] = host_gateway(self._host)
        return WorkerRecord(id="zonehost", labels=labels, platforms=(wire,), buildkit_version=_VERSION)

    async def _found(self, ref: str) -> Solve:
        """A solve, which the client may announce a moment later on another stream."""
        if ref not in self._solves and ref not in self._ended:
            expected = self._expected.setdefault(ref, asyncio.Event())
            try:
                async with asyncio.timeout(BEGIN_SECONDS):
                    await expected.wait()
            except TimeoutError:
                self._expected.pop(ref, None)
                raise NotFound(f"no such build: {ref}") from None
        if ref not in self._solves:
            raise NotFound(f"the build {ref} has ended")
        return self._solves[ref]


class _Nested:
    """A connection whose bytes are the messages of a call."""

    def __init__(self, call: ServedCall) -> None:
        self._call = call

    async def receive(self) -> bytes:
        message = await self._call.receive(BytesMessage)
        return b"" if message is None else message.data

    async def send(self, data: bytes) -> None:
        await self._call.send(BytesMessage(data=data))


def _record(step: CachedStep) -> UsageRecord:
    return UsageRecord(
        id=step.key,
        size=step.size,
        created_at=_time(step.made),
        last_used_at=_time(step.used),
        description=step.instruction,
        record_type="regular",
    )


def _time(nanoseconds: int) -> Timestamp:
    seconds, nanos = divmod(nanoseconds, _SECOND)
    return Timestamp(seconds=seconds, nanos=nanos)
