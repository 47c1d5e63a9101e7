"""BuildKit's clients: `POST /session` and `POST /grpc`, upgraded to HTTP/2 without TLS, and `POST /build?version=2`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.hijack import Done, Hijacked
from zonehost.api.progress import Teller, follow
from zonehost.api.resources import build
from zonehost.api.routing import Route
from zonehost.domain.host_config import Ulimit
from zonehost.domain.identity import new_id
from zonehost.errors import InvalidParameter, Unsupported

if TYPE_CHECKING:
    from zonehost.api.buildkit.connections import BuildKit
    from zonehost.api.buildkit.posted import Posted

_PROTOCOL: Final = "h2c"
_SESSION: Final = "X-Docker-Expose-Session-Uuid"
_IMAGE: Final = "moby"
_UPLOAD: Final = "upload-request"
_FROM_SESSION: Final = "client-session"
_REFUSED: Final = ("squash", "isolation", "memory", "memswap", "cpushares", "cpuperiod", "cpuquota", "cpusetcpus",
                   "cpusetmems", "securityopt")  # fmt: skip


class _Output(msgspec.Struct, frozen=True):
    Type: str = ""
    Attrs: dict[str, str] = {}


class BuildKitRoutes:
    """The routes of one API, and what stands behind them once a client has asked for it."""

    def __init__(self) -> None:
        self._kit: BuildKit | None = None

    def routes(self) -> tuple[Route, ...]:
        """Routes."""
        return (
            Route("POST", "/session", self.open_session),
            Route("POST", "/grpc", self.open_control),
            Route("POST", "/build", self.build_image),
            Route("POST", "/build/cancel", self.cancel_build),
        )

    async def open_session(self, call: Call) -> web.StreamResponse:
        """The client will be asked."""
        _check_protocol(call)
        name = call.request.headers.get(_SESSION, "")
        if not name:
            raise InvalidParameter(f"the header {_SESSION} is missing")
        kit = self._found(call)
        kit.check_session(name)
        async with Hijacked.take(call.request, protocol=_PROTOCOL) as client:
            await kit.hold_session(name, client)
        return Done()

    async def open_control(self, call: Call) -> web.StreamResponse:
        """The client will ask."""
        _check_protocol(call)
        kit = self._found(call)
        async with Hijacked.take(call.request, protocol=_PROTOCOL) as client:
            await kit.serve(client)
        return Done()

    async def build_image(self, call: Call) -> web.StreamResponse:
        """A build of version 2 has its files from a session; any other is the classic one."""
        kind, _, name = call.text("buildid").partition(":")
        if kind == _UPLOAD and name:
            await self._found(call).upload(name, aiter(call.upload()))
            return answers.empty(200)
        if call.text("version") != "2":
            return await build.build_image(call)
        kit, posted = self._found(call), _posted(call)

        async def work(tell: Teller) -> None:
            await kit.build(posted, tell)

        return await follow(call.request, work)

    async def cancel_build(self, call: Call) -> web.StreamResponse:
        """End a build of version 2; one that is not under way is as good as ended."""
        name = call.text("id")
        if not name:
            raise InvalidParameter("build ID not provided")
        self._found(call).cancel(name)
        return answers.empty(200)

    def _found(self, call: Call) -> BuildKit:
        if self._kit is None:
            # Rare and large: most daemons never see such a client.
            from zonehost.api.buildkit.connections import BuildKit

            self._kit = BuildKit(call.host)
        return self._kit


def _check_protocol(call: Call) -> None:
    protocol = call.request.headers.get("Upgrade", "")
    if protocol != _PROTOCOL:
        raise InvalidParameter(f"protocol {protocol} not supported" if protocol else "no upgrade proto in request")


def _posted(call: Call) -> Posted:
    """What the parameters of a build of version 2 ask for."""
    from zonehost.api.buildkit.messages import Exporter
    from zonehost.api.buildkit.posted import Posted

    for name in _REFUSED:
        if call.text(name) not in ("", "0", "false", "default"):
            raise Unsupported(f"the parameter {name} is not supported by BuildKit")
    ref, remote, names = call.text("buildid") or new_id(), call.text("remote"), ",".join(build.tags_of(call))
    outputs = build.decoded(call, "outputs", list[_Output]) or [_Output(Type=_IMAGE)]
    return Posted(
        ref=ref,
        session=call.text("session"),
        attributes=_attributes(call) | ({"context": remote} if remote not in ("", _FROM_SESSION, _UPLOAD) else {}),
        exporters=tuple(
            Exporter(type=output.Type, attrs=output.Attrs | ({"name": names} if output.Type == _IMAGE else {}))
            for output in outputs
            if output.Type != "cacheonly"
        ),
        upload=ref if remote == _UPLOAD else "",
        quiet=call.flag("q"),
    )


def _attributes(call: Call) -> dict[str, str]:
    """The same as attributes of the frontend."""
    caches = [{"Type": "registry", "Attrs": {"ref": ref}} for ref in build.decoded(call, "cachefrom", list[str])]
    ulimits = [f"{one.name}={one.soft}:{one.hard}" for one in build.decoded(call, "ulimits", list[Ulimit])]
    arguments = build.decoded(call, "buildargs", dict[str, str | None])
    found = {
        "filename": call.text("dockerfile"),
        "target": call.text("target"),
        "platform": call.text("platform"),
        "image-resolve-mode": "pull" if call.flag("pull") else "",
        "force-network-mode": call.text("networkmode"),
        "shm-size": call.text("shmsize"),
        "cgroup-parent": call.text("cgroupparent"),
        "add-hosts": ",".join(host.replace(":", "=", 1) for host in call.texts("extrahosts")),
        "ulimit": ",".join(ulimits),
        "cache-imports": json.dumps(caches) if caches else "",
        **{f"build-arg:{name}": value for name, value in arguments.items() if value is not None},
        **{f"label:{name}": value for name, value in build.decoded(call, "labels", dict[str, str]).items()},
    }
    kept = {name: value for name, value in found.items() if value or name.startswith(("build-arg:", "label:"))}
    return kept | ({"no-cache": ""} if call.flag("nocache") else {})
