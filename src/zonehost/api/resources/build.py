"""`docker build` by the classic endpoint, and the cache of builds."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.classic_build import Console, HeaderClient
from zonehost.api.credentials import logins_of
from zonehost.api.progress import Teller, follow
from zonehost.api.routing import Route
from zonehost.domain.host_config import HostConfig, Ulimit
from zonehost.domain.reference import parse_reference
from zonehost.engine.build.prune import prune_builds
from zonehost.engine.image.names import named_images
from zonehost.errors import InvalidParameter, Unsupported
from zonehost.ports.builder import BuildRequest

T = TypeVar("T")

_REFUSED: Final = ("squash", "outputs", "isolation", "session")
_MOST_KEPT: Final = ("keep-storage", "reserved-space", "max-used-space")


async def build_image(call: Call) -> web.StreamResponse:
    """The Dockerfile is read before the answer begins: a mistake in it is an error of the request."""
    builder = call.host.builder
    if builder is None:
        raise Unsupported("this host does not build images")
    tags = tags_of(call)
    prepared = await builder.prepare(_request(call), call.upload())

    async def work(tell: Teller) -> None:
        console = Console(tell, tell.drain, quiet=call.flag("q"))
        async with prepared.building(console) as built:
            await built.publish(tags)
            console.built(built, tags)

    return await follow(call.request, work)


async def prune_cache(call: Call) -> web.StreamResponse:
    if call.number("min-free-space"):
        raise Unsupported("the parameter min-free-space is not supported")
    keep = max(call.number(name) for name in _MOST_KEPT)
    pruned = await prune_builds(call.host, all_steps=call.flag("all"), keep=keep, filters=call.filters())
    return answers.document({"CachesDeleted": list(pruned.keys) or None, "SpaceReclaimed": pruned.space})


async def list_stale(call: Call) -> web.StreamResponse:
    """Our own: what is out of date in the images named, or in all that have a name."""
    builder = call.host.builder
    if builder is None:
        raise Unsupported("this host does not build images")
    names = call.texts("image") or named_images(call.host)
    return answers.document(await builder.stale(names, call.text("fresh")))


def _request(call: Call) -> BuildRequest:
    version = call.text("version", "1")
    if version not in ("", "1"):
        raise InvalidParameter(f"invalid version {version}")
    for name in _REFUSED:
        if call.text(name) not in ("", "0", "false", "default"):
            raise Unsupported(f"the parameter {name} is not supported")
    arguments = dict(_json(call, "buildargs", dict[str, str | None]))
    return BuildRequest(
        dockerfile=call.text("dockerfile") or "Dockerfile",
        remote=call.text("remote"),
        target=call.text("target"),
        platform=call.text("platform"),
        arguments={name: value for name, value in arguments.items() if value is not None},
        valueless=frozenset(name for name, value in arguments.items() if value is None),
        labels=dict(_json(call, "labels", dict[str, str])),
        no_cache=call.flag("nocache"),
        pull=call.flag("pull"),
        network=call.text("networkmode") or "default",
        host_config=_host_config(call),
        cache_from=tuple(decoded(call, "cachefrom", list[str])),
        client=HeaderClient(logins_of(call)),
    )


def tags_of(call: Call) -> tuple[str, ...]:
    """The names that the image shall have."""
    found = []
    for text in filter(None, call.texts("t")):
        name = parse_reference(text)
        if name.digest:
            raise InvalidParameter("build tag cannot contain a digest")
        found.append(name.tagged().familiar)
    return tuple(dict.fromkeys(found))


def _host_config(call: Call) -> HostConfig:
    return HostConfig(
        memory=call.number("memory"),
        memory_swap=call.number("memswap"),
        cpu_shares=call.number("cpushares"),
        cpu_period=call.number("cpuperiod"),
        cpu_quota=call.number("cpuquota"),
        cpuset_cpus=call.text("cpusetcpus"),
        cpuset_mems=call.text("cpusetmems"),
        cgroup_parent=call.text("cgroupparent"),
        shm_size=call.number("shmsize"),
        ulimits=tuple(decoded(call, "ulimits", list[Ulimit])) or None,
        extra_hosts=tuple(filter(None, call.texts("extrahosts"))) or None,
        security_opt=tuple(filter(None, call.texts("securityopt"))) or None,
    )


def _json(call: Call, parameter: str, kind: type[dict[str, T]]) -> list[tuple[str, T]]:
    return list(decoded(call, parameter, kind).items())


def decoded(call: Call, parameter: str, kind: type[T]) -> T:
    """A parameter in JSON, empty where it is missing or null."""
    text = call.text(parameter)
    empty: Any = kind()
    if text in ("", "null"):
        return empty  # type: ignore[no-any-return]
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"error reading {parameter}: {error}") from error


ROUTES: Final = (
    Route("POST", "/build/prune", prune_cache, verb=True),
    Route("GET", "/zonehost/v1/stale", list_stale),
)
