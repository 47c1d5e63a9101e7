"""`docker push`: what the registry has is not sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from zonehost.domain.failpoint import failpoint
from zonehost.domain.image import Image
from zonehost.domain.reference import Reference, parse_reference
from zonehost.engine.host import Host
from zonehost.engine.image.tag import point
from zonehost.engine.progress import LayerProgress, Tell
from zonehost.engine.telling import tell_image
from zonehost.errors import NotFound
from zonehost.ports.registry import Descriptor, Login, Repository

_AT_A_TIME: Final = 3


async def push(host: Host, name: Reference, *, login: Login | None, tell: Tell) -> None:
    """Send an image under one of its names, or under all its names in a repository where `name` has no tag.

    Raises:
        NotFound: there is no such image here.
        Unauthorized, Forbidden, Unavailable, InvalidParameter: as the registry's answers are.
    """
    names = [name] if name.tag else _tags(host, name)
    if not names:
        raise NotFound(f"An image does not exist locally with the tag: {name.familiar_repository}")
    tell({"status": f"The push refers to repository [{name.repository}]"})
    for one in names:
        await _push(host, one, login, tell)


def _tags(host: Host, name: Reference) -> list[Reference]:
    found = map(parse_reference, sorted(tag.name for tag in host.images.tags()))
    return [one for one in found if one.repository == name.repository and one.tag]


async def _push(host: Host, name: Reference, login: Login | None, tell: Tell) -> None:
    tag = host.images.tagged(name.canonical)
    image = host.images.get(tag.image) if tag is not None else None
    if image is None:
        raise NotFound(f"An image does not exist locally with the tag: {name.familiar_repository}")
    repository = Repository(name.domain, name.path)
    room = asyncio.Semaphore(_AT_A_TIME)
    tasks = {
        diff_id: asyncio.create_task(_layer(host, repository, diff_id, login, LayerProgress(tell, diff_id), room))
        for diff_id in dict.fromkeys(image.layers)
    }
    try:
        await asyncio.gather(*tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    sent = [tasks[diff_id].result() for diff_id in image.layers]
    await _manifest(host, name, image, sent, login, tell)


async def _manifest(
    host: Host, name: Reference, image: Image, layers: list[Descriptor], login: Login | None, tell: Tell
) -> None:
    repository = Repository(name.domain, name.path)
    found = await host.registries.send_image(repository, name.tag, image.config, layers, login)
    failpoint("push.manifest")
    await point(host, image, replace(name, tag="", digest=found.digest))
    tell({"status": f"{name.tag}: digest: {found.digest} size: {found.size}"})
    tell({"progressDetail": {}, "aux": {"Tag": name.tag, "Digest": found.digest, "Size": found.size}})
    tell_image(host, "push", image, name.familiar)


async def _layer(
    host: Host,
    repository: Repository,
    diff_id: str,
    login: Login | None,
    progress: LayerProgress,
    room: asyncio.Semaphore,
) -> Descriptor:
    async def blob() -> AsyncIterator[bytes]:
        async with aclosing(progress.watch(host.layers.compressed(diff_id), "Pushing")) as parts:
            async for part in parts:
                yield part
                failpoint("push.sending")

    progress.status("Preparing")
    async with room:
        sent = await host.registries.send_layer(repository, diff_id, blob, login)
    failpoint("push.layer")
    words = {"exists": "Layer already exists", "mounted": f"Mounted from {sent.origin}"}
    progress.status(words.get(sent.how, "Pushed"))
    return sent.descriptor
