"""`docker pull`: layers come several at a time, each unpacked while it comes; an image is recorded when it is whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from zonehost.domain.failpoint import failpoint
from zonehost.domain.image import Image, Layer
from zonehost.domain.platform import Platform
from zonehost.domain.reference import DEFAULT_TAG, Reference
from zonehost.engine.host import Host
from zonehost.engine.image.intake import take_in
from zonehost.engine.image.sweep import taking_in
from zonehost.engine.progress import LayerProgress, Tell
from zonehost.engine.telling import tell_image
from zonehost.errors import NotFound, Unauthorized
from zonehost.ports.registry import Descriptor, Login, RemoteImage, Repository

_AT_A_TIME: Final = 3


async def pull(host: Host, name: Reference, *, login: Login | None, platform: Platform | None, tell: Tell) -> Image:
    """Bring an image here, with its name and its digest.

    Raises:
        NotFound: the registry has no such image, or does not show it to this login.
        Unauthorized, Forbidden, Unavailable, InvalidParameter: as the registry's answers are; nothing remains.
    """
    name = name.tagged()
    repository = Repository(name.domain, name.path)
    remote = await _fetch(host, name, repository, login, platform)
    failpoint("pull.fetched")
    tell({"status": f"Pulling from {name.path}", "id": name.tag or name.digest})
    before = host.images.tagged(name.canonical)
    # As in Docker, nothing is told of the layers of an image that is here, whatever its name is.
    of_layers = tell if host.images.get(remote.image) is None else _untold
    async with taking_in(host) as fetched:
        layers = await _layers(host, repository, remote, login, of_layers, fetched)
        failpoint("pull.unpacked")
        by_digest = replace(name, tag="", digest=remote.digest)
        image = await take_in(host, remote.config, layers, dict.fromkeys((name, by_digest)))
    failpoint("pull.recorded")
    tell({"status": f"Digest: {remote.digest}"})
    same = before is not None and before.image == image.id
    words = "Image is up to date" if same else "Downloaded newer image"
    tell({"status": f"Status: {words} for {name.familiar}"})
    tell_image(host, "pull", image, name.familiar)
    return image


async def pull_all(host: Host, name: Reference, *, login: Login | None, platform: Platform | None, tell: Tell) -> None:
    """Pull every tag of a repository. Raises as `pull`."""
    for tag in await host.registries.tags(Repository(name.domain, name.path), login):
        await pull(host, replace(name, tag=tag, digest=""), login=login, platform=platform, tell=tell)


async def _fetch(
    host: Host, name: Reference, repository: Repository, login: Login | None, platform: Platform | None
) -> RemoteImage:
    try:
        return await host.registries.fetch(repository, name.digest or name.tag or DEFAULT_TAG, login, platform)
    except Unauthorized as error:
        # A registry does not tell what is missing from what is hidden; Docker answers both with the same words.
        raise NotFound(
            f"pull access denied for {name.familiar_repository}, repository does not exist or may require "
            f"'docker login': denied: {error}"
        ) from error


async def _layers(
    host: Host, repository: Repository, remote: RemoteImage, login: Login | None, tell: Tell, fetched: set[str]
) -> list[Layer]:
    room = asyncio.Semaphore(_AT_A_TIME)
    tasks: dict[str, asyncio.Task[Layer]] = {}
    for diff_id, blob in zip(remote.diff_ids, remote.layers, strict=True):
        if diff_id not in tasks:
            work = _layer(host, repository, diff_id, blob, login, LayerProgress(tell, blob.digest), room, fetched)
            tasks[diff_id] = asyncio.create_task(work)
    try:
        await asyncio.gather(*tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return [tasks[diff_id].result() for diff_id in remote.diff_ids]


async def _layer(
    host: Host,
    repository: Repository,
    diff_id: str,
    blob: Descriptor,
    login: Login | None,
    progress: LayerProgress,
    room: asyncio.Semaphore,
    fetched: set[str],
) -> Layer:
    layer = host.layers.get(diff_id)
    if layer is not None:
        progress.status("Already exists")
    else:
        progress.status("Pulling fs layer")
        async with room:
            parts = progress.watch(host.registries.blob(repository, blob, login), "Downloading", blob.size)
            layer = await host.layers.unpack(_passed_on(parts), diff_id=diff_id)
        fetched.add(diff_id)
        failpoint("pull.layer")
        progress.status("Pull complete")
    host.registries.learn(repository, diff_id, blob)
    return layer


def _untold(_message: dict[str, Any]) -> None:
    """Where progress is of no interest."""


async def _passed_on(parts: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(parts):
        async for part in parts:
            yield part
            failpoint("pull.unpacking")
