"""Pull, push, search, and what a registry says of an image."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.credentials import login_of
from zonehost.api.progress import Teller, follow
from zonehost.api.routing import Route
from zonehost.domain.platform import parse_platform
from zonehost.domain.reference import Reference, parse_reference
from zonehost.engine.image.platform import host_platform
from zonehost.engine.registry.pull import pull, pull_all
from zonehost.engine.registry.push import push
from zonehost.engine.registry.search import search
from zonehost.errors import InvalidParameter
from zonehost.ports.registry import Repository


async def pull_image(call: Call) -> web.StreamResponse:
    """`POST /images/create` with `fromImage`. Without a tag, all tags of the repository."""
    name = _reference(call.text("fromImage"), call.text("tag"))
    login = login_of(call)
    platform = call.text("platform")
    wanted = parse_platform(platform, host_platform(call.host)) if platform else None

    async def work(tell: Teller) -> None:
        verb = pull if name.tag or name.digest else pull_all
        await verb(call.host, name, login=login, platform=wanted, tell=tell)

    return await follow(call.request, work)


async def push_image(call: Call) -> web.StreamResponse:
    """Without a tag, all tags of the repository."""
    name = _reference(call.name, call.text("tag"))
    if name.digest:
        raise InvalidParameter("cannot push a digest reference")
    login = login_of(call)

    async def work(tell: Teller) -> None:
        await push(call.host, name, login=login, tell=tell)

    return await follow(call.request, work)


async def inspect_distribution(call: Call) -> web.StreamResponse:
    name = parse_reference(call.name).tagged()
    repository = Repository(name.domain, name.path)
    found = await call.host.registries.inspect(repository, name.digest or name.tag, login_of(call))
    descriptor = found.descriptor
    return answers.document(
        {
            "Descriptor": {
                "mediaType": descriptor.media_type,
                "digest": descriptor.digest,
                "size": descriptor.size,
            },
            "Platforms": [
                {"architecture": platform.architecture, "os": platform.os}
                | ({"variant": platform.variant} if platform.variant else {})
                for platform in found.platforms
            ],
        }
    )


async def search_images(call: Call) -> web.StreamResponse:
    term = call.text("term")
    if not term:
        raise InvalidParameter("the parameter term is missing")
    limit = call.number("limit", 25)
    found = await search(call.host, term, limit=limit, filters=call.filters(), login=login_of(call))
    return answers.document(
        [
            {
                "name": one.name,
                "description": one.description,
                "star_count": one.stars,
                "is_official": one.official,
                "is_automated": one.automated,
            }
            for one in found
        ]
    )


def _reference(name: str, tag: str) -> Reference:
    """A name whose tag or digest may stand in a parameter of its own."""
    found = parse_reference(name)
    if not tag:
        return found
    joint = "@" if tag.startswith("sha256:") else ":"
    return parse_reference(f"{found.repository}{joint}{tag}")


ROUTES: Final = (
    Route("GET", "/images/search", search_images),
    Route("POST", "/images/{name}/push", push_image),
    Route("GET", "/distribution/{name}/json", inspect_distribution),
)
