"""The names of an image as people write them."""

from __future__ import annotations

from zonehost.domain.reference import Reference, parse_reference
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter

DANGLING_TAG = "<none>:<none>"
DIGEST_ALGORITHM = "sha256"
"""What stands before the colon of an id, and so cannot be a repository of the Hub."""


def familiar_names(host: Host, image_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """An image's tags and its digests, both as people write them."""
    names = [parse_reference(tag.name) for tag in host.images.tags_of(image_id)]
    return (
        tuple(name.familiar for name in names if not name.digest),
        tuple(name.familiar for name in names if name.digest),
    )


def new_name(repository: str, tag: str) -> Reference | None:
    """The name that a client wants to give, None if it gives none; the tag may stand in either argument.

    Raises:
        InvalidParameter: it cannot be a name, or has a digest.
    """
    if not repository:
        return None
    name = parse_reference(repository)
    if name.digest:
        raise InvalidParameter("refusing to create a tag with a digest reference")
    if tag:
        name = parse_reference(f"{name.repository}:{tag}")
    if name.familiar_repository == DIGEST_ALGORITHM:
        raise InvalidParameter("refusing to create an ambiguous tag using digest algorithm as name")
    return name.tagged()


def named_images(host: Host) -> tuple[str, ...]:
    """One name of each image that has any, as people write it, sorted."""
    found: dict[str, str] = {}
    for tag in sorted(host.images.tags(), key=lambda tag: tag.name):
        name = parse_reference(tag.name)
        if not name.digest:
            found.setdefault(tag.image, name.familiar)
    return tuple(sorted(found.values()))
