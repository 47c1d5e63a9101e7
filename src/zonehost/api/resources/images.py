"""Images: listed, looked at, named, removed, taken in and given out as archives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.delivery import deliver_bytes, json_line
from zonehost.api.progress import Teller, follow
from zonehost.api.resources.registry import pull_image
from zonehost.api.resources.requests import split_words
from zonehost.api.routing import Route
from zonehost.api.shape import image as shape
from zonehost.api.version import Version
from zonehost.domain.config import Config
from zonehost.engine.container.commit import CommitRequest, commit
from zonehost.engine.image.history import history
from zonehost.engine.image.importing import ImportRequest, import_from, import_image
from zonehost.engine.image.inspect import inspect
from zonehost.engine.image.listing import ImageListRequest, list_images
from zonehost.engine.image.load import LoadedImage, load
from zonehost.engine.image.platform import check_platform
from zonehost.engine.image.prune import prune
from zonehost.engine.image.remove import remove
from zonehost.engine.image.save import save
from zonehost.engine.image.tag import tag
from zonehost.errors import InvalidParameter, Unsupported


class _Platform(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A platform as the OCI image specification writes it in JSON."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


async def list_all(call: Call) -> web.StreamResponse:
    """`manifests` asks for those of indexes: as with Docker's own layer store, there are none to tell of."""
    request = ImageListRequest(all=call.flag("all"), filters=call.filters(), shared_size=call.flag("shared-size"))
    found = await list_images(call.host, request)
    return answers.document([shape.summary(one, call.version) for one in found])


async def inspect_image(call: Call) -> web.StreamResponse:
    _check_platform(call, "platform", call.name)
    # docker-compose 1.29 asks for the newest version, and reads a field that Docker has left out since 1.45.
    old = call.request.headers.get("User-Agent", "").startswith("docker-compose/1.")
    version = min(call.version, Version(1, 44)) if old else call.version
    return answers.document(shape.detail(await inspect(call.host, call.name), version))


async def show_history(call: Call) -> web.StreamResponse:
    _check_platform(call, "platform", call.name)
    return answers.document([shape.history(entry) for entry in await history(call.host, call.name)])


async def tag_image(call: Call) -> web.StreamResponse:
    await tag(call.host, call.name, call.text("repo"), call.text("tag"))
    return answers.empty(201)


async def remove_image(call: Call) -> web.StreamResponse:
    if not call.name.strip():
        raise InvalidParameter("image name cannot be blank")
    _check_platform(call, "platforms", call.name)
    steps = await remove(call.host, call.name, force=call.flag("force"), prune=not call.flag("noprune"))
    return answers.document([shape.removed(step) for step in steps])


async def prune_images(call: Call) -> web.StreamResponse:
    pruned = await prune(call.host, call.filters())
    steps = [shape.removed(step) for step in pruned.removed]
    return answers.document({"ImagesDeleted": steps or None, "SpaceReclaimed": pruned.space})


async def create_image(call: Call) -> web.StreamResponse:
    """Import an archive, or pull from a registry. The answer is made of lines of progress."""
    if call.text("fromImage"):
        return await pull_image(call)
    source = call.text("fromSrc")
    request = ImportRequest(
        archive=call.upload(),
        repository=call.text("repo"),
        tag=call.text("tag"),
        message=call.text("message") or f"Imported from {source}",
        changes=call.texts("changes"),
        platform=call.text("platform"),
    )
    if source == "-":
        return answers.encoded(answers.encode({"status": await call.finish(import_image(call.host, request))}))
    url = source if "://" in source else f"http://{source}"

    async def work(tell: Teller) -> None:
        tell({"status": await import_from(call.host, url, request, tell)})

    return await follow(call.request, work)


async def load_images(call: Call) -> web.StreamResponse:
    """`quiet` leaves out progress, of which there is none to tell: the answer is one line an image."""
    if call.text("platform"):
        raise Unsupported("the parameter platform is not supported: all images of the archive are loaded")
    loaded = await load(call.host, call.upload())
    words = [line for one in loaded for line in _loaded(one)]
    return answers.encoded(b"".join(json_line({"stream": f"{line}\n"}) for line in words).rstrip(b"\n"))


def _loaded(one: LoadedImage) -> Iterator[str]:
    if one.before:
        yield f"The image {one.name} already exists, renaming the old one with ID {one.before} to empty string"
    yield f"Loaded image: {one.name}" if one.name else f"Loaded image ID: {one.id}"


async def save_images(call: Call) -> web.StreamResponse:
    """The names may come in one parameter, with commas between them, or in several."""
    names = [name for given in call.texts("names") for name in given.split(",") if name]
    if not names:
        raise InvalidParameter("no images to save: the parameter names is missing")
    _check_platform(call, "platform", *names)
    return await _save(call, names)


async def save_image(call: Call) -> web.StreamResponse:
    _check_platform(call, "platform", call.name)
    return await _save(call, [call.name])


async def commit_container(call: Call) -> web.StreamResponse:
    request = CommitRequest(
        container=call.text("container"),
        repository=call.text("repo"),
        tag=call.text("tag"),
        comment=call.text("comment"),
        author=call.text("author"),
        pause=call.flag("pause", default=True),
        changes=call.texts("changes"),
        config=await call.optional_body(Config, split_words),
    )
    return answers.document({"Id": await commit(call.host, request)}, 201)


async def _save(call: Call, names: Sequence[str]) -> web.StreamResponse:
    return await deliver_bytes(call.request, answers.TAR, await save(call.host, names))


def _check_platform(call: Call, parameter: str, *refs: str) -> None:
    """Look whether images, of which each has one platform here, have the one that is asked for.

    Raises:
        NotFound: one has another, or is not there.
        InvalidParameter: the parameter is no platform, or there are several.
    """
    if len(call.texts(parameter)) > 1:
        raise InvalidParameter("multiple platform parameters not supported")
    for text in call.texts(parameter):
        try:
            asked = msgspec.json.decode(text, type=_Platform)
        except msgspec.DecodeError as error:
            raise InvalidParameter(f"invalid platform: {error}") from error
        for ref in refs:
            check_platform(call.host, call.host.images.find(ref), ref, str(asked))


ROUTES: Final = (
    Route("GET", "/images/json", list_all),
    Route("GET", "/images/get", save_images),
    Route("POST", "/images/create", create_image),
    Route("POST", "/images/load", load_images, verb=True),
    Route("POST", "/images/prune", prune_images, verb=True),
    Route("POST", "/commit", commit_container, verb=True),
    Route("GET", "/images/{name}/json", inspect_image),
    Route("GET", "/images/{name}/history", show_history),
    Route("GET", "/images/{name}/get", save_image),
    Route("POST", "/images/{name}/tag", tag_image, verb=True),
    Route("DELETE", "/images/{name}", remove_image, verb=True),
)
