"""`docker tag`: one more name for an image."""

from __future__ import annotations

from zonehost.domain.image import Image, Tag
from zonehost.domain.reference import Reference
from zonehost.engine.host import Host
from zonehost.engine.image.names import new_name
from zonehost.engine.telling import tell_image
from zonehost.errors import InvalidParameter
from zonehost.ports.records import Put


async def tag(host: Host, ref: str, repository: str, tag: str) -> None:
    """Let a name point to an image; what it pointed to before loses it.

    Raises:
        NotFound: there is no such image. InvalidParameter: the name cannot be one.
    """
    name = new_name(repository, tag)
    if name is None:
        raise InvalidParameter("invalid reference format")
    image = host.images.find(ref)
    await point(host, image, name)
    tell_image(host, "tag", image, name.familiar)


async def point(host: Host, image: Image, name: Reference) -> None:
    """Let the name point to the image; durable on return, and undone if it cannot be written."""
    record = Tag(name=name.canonical, image=image.id, tagged=host.clock.now())
    before = host.images.tagged(record.name)
    # In memory first: from here on no removal takes the image for unused.
    host.images.put_tag(record)
    try:
        await host.records.commit(Put(record))
    except BaseException:
        if host.images.tagged(record.name) is record:
            host.images.drop_tag(record.name)
            if before is not None:
                host.images.put_tag(before)
        raise
