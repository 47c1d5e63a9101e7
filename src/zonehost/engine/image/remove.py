"""`docker rmi`: take a name from an image, and with its last name the image itself."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.container import Container
from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import short
from zonehost.domain.image import Image, Tag
from zonehost.domain.reference import parse_reference
from zonehost.engine.host import Host
from zonehost.engine.image.sweep import sweep_layers
from zonehost.engine.telling import tell_image
from zonehost.engine.volume.origin import drop_unused_bases
from zonehost.errors import Conflict, InvalidParameter
from zonehost.ports.records import Delete


@dataclass(frozen=True, slots=True)
class Removed:
    """One line of the answer: a name that is no more, or an image or layer that is no more."""

    untagged: str = ""
    deleted: str = ""


async def remove(host: Host, ref: str, *, force: bool, prune: bool) -> tuple[Removed, ...]:
    """Remove what the reference means; `prune` takes unnamed images along that it alone was built on.

    By name, the name goes, and with the last name the image, if nothing uses it. By id, the image goes, with its
    names if they are of one repository.

    Raises:
        NotFound: there is no such image. Conflict: it is in use, in Docker's words.
    """
    image = host.images.find(ref)
    name = _name_meant(host, ref, image)
    if name is None:
        _check(host, image, force=force, names=len(_repositories(host, image)) > 1)
        doomed = [tag.name for tag in host.images.tags_of(image.id)]
    else:
        if not force and len(host.images.tags_of(image.id)) == 1:
            _check_name_use(host, ref, image)
        doomed = _with_digests(host, image, name)
    removed = [await _untag(host, image, one) for one in doomed if host.images.tagged(one) is not None]
    # Looked at now: while names went, a container or another name may have come to it, or it went itself.
    stays = host.images.tags_of(image.id) or _used(host, image, running=force) is not None
    if stays or host.images.get(image.id) is None:
        return tuple(removed)
    _check(host, image, force=force, names=False)
    return (*removed, *await _delete(host, image, prune=prune))


def _name_meant(host: Host, ref: str, image: Image) -> str | None:
    """The full name that a reference is, None if it is an id."""
    try:
        name = parse_reference(ref).tagged()
    except InvalidParameter:
        return None
    tag = host.images.tagged(name.canonical)
    if tag is None and name.digest:
        tag = host.images.tagged(f"{name.repository}@{name.digest}")
    return tag.name if tag is not None and tag.image == image.id else None


def _with_digests(host: Host, image: Image, name: str) -> list[str]:
    """The name, and if it is its repository's last tag, the digests of that repository too."""
    doomed = parse_reference(name)
    others = [other for tag in host.images.tags_of(image.id) if (other := parse_reference(tag.name)) != doomed]
    same = [other for other in others if other.repository == doomed.repository]
    if doomed.digest or any(not other.digest for other in same):
        return [name]
    return [name, *(other.canonical for other in same)]


def _repositories(host: Host, image: Image) -> set[str]:
    return {parse_reference(tag.name).repository for tag in host.images.tags_of(image.id)}


def _used(host: Host, image: Image, *, running: bool = False) -> Container | None:
    """A container that was made from the image or mounts it, if there is one."""
    for record in host.containers.records():
        if image.id in record.images and (record.state.running or not running):
            return record
    return None


def _check_name_use(host: Host, ref: str, image: Image) -> None:
    user = _used(host, image)
    if user is not None:
        raise Conflict(
            f'conflict: unable to remove repository reference "{ref}" (must force) - '
            f"container {user.short} is using its referenced image {short(image.id)}"
        )


def _check(host: Host, image: Image, *, force: bool, names: bool) -> None:
    """Raise the conflict, if there is one; `names`: that it has names in several repositories is one."""
    unable = f"conflict: unable to delete {short(image.id)}"
    if host.images.children_of(image.id):
        raise Conflict(f"{unable} (cannot be forced) - image has dependent child images")
    if (user := _used(host, image, running=True)) is not None:
        raise Conflict(f"{unable} (cannot be forced) - image is being used by running container {user.short}")
    if names and not force:
        raise Conflict(f"{unable} (must be forced) - image is referenced in multiple repositories")
    if not force and (user := _used(host, image)) is not None:
        raise Conflict(f"{unable} (must be forced) - image is being used by stopped container {user.short}")


async def _untag(host: Host, image: Image, name: str) -> Removed:
    tag = host.images.tagged(name)
    host.images.drop_tag(name)  # first, so that of two who remove it one is told that it is not there
    try:
        await host.records.commit(Delete(Tag.kind, name))
    except BaseException:
        if tag is not None and host.images.tagged(name) is None:
            host.images.put_tag(tag)
        raise
    tell_image(host, "untag", image)
    return Removed(untagged=parse_reference(name).familiar)


async def _delete(host: Host, image: Image, *, prune: bool) -> list[Removed]:
    """Forget an image, and the unnamed ones below it; remove the layers that nothing stands on any more."""
    removed: list[Removed] = []
    doomed: Image | None = image
    while doomed is not None:
        host.images.drop(doomed)
        try:
            await host.records.commit(Delete(Image.kind, doomed.id))
        except BaseException:
            host.images.add(doomed)
            raise
        failpoint("image.forgotten")
        if host.build_cache is not None:
            host.build_cache.forget(doomed.id)
        tell_image(host, "delete", doomed)
        removed.append(Removed(deleted=doomed.id))
        parent = host.images.get(doomed.parent) if prune and doomed.parent else None
        doomed = parent if parent is not None and _idle(host, parent) else None
    here = [layer for layer in reversed(image.layers) if host.layers.get(layer) is not None]
    await sweep_layers(host, here)
    await drop_unused_bases(host)
    return removed + [Removed(deleted=layer) for layer in here if host.layers.get(layer) is None]


def _idle(host: Host, image: Image) -> bool:
    """Whether nobody would miss an unnamed image."""
    return not (host.images.tags_of(image.id) or host.images.children_of(image.id) or _used(host, image))
