"""`docker cp`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager

from zonehost.engine.container.zone_tree import tree_of
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container
from zonehost.errors import InvalidParameter, NotFound
from zonehost.ports.files import PathStat


async def stat_path(host: Host, ref: str, path: str) -> PathStat:
    """What is at a path of a container.

    Raises:
        NotFound: there is no such container, or nothing at the path. InvalidParameter: the path is empty.
    """
    zone = host.containers.find(ref)
    with _named(ref, path):
        return await host.files.stat(tree_of(host, zone), _checked(path))


async def read_archive(host: Host, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
    """What is at a path of a container, and a tar of it.

    Raises:
        As `stat_path`.
    """
    zone = host.containers.find(ref)
    tree = tree_of(host, zone)
    with _named(ref, path):
        stat = await host.files.stat(tree, _checked(path))
    tell_container(host, zone.record, "archive-path")
    return stat, host.files.read(tree, path)


async def write_archive(
    host: Host,
    ref: str,
    path: str,
    archive: AsyncIterable[bytes],
    *,
    no_overwrite_dir_non_dir: bool,
    copy_uid_gid: bool,
) -> None:
    """Unpack a tar into a folder of a container.

    Raises:
        NotFound: there is no such container or folder. InvalidParameter: no folder, no archive, or a folder would
        become a file or the reverse. Forbidden: it is read-only.
    """
    zone = host.containers.find(ref)
    tree = tree_of(host, zone)
    with _named(ref, path):
        await host.files.write(
            tree,
            _checked(path),
            archive,
            keep_kinds=no_overwrite_dir_non_dir,
            user=zone.record.config.user if copy_uid_gid else "",
        )
    tell_container(host, zone.record, "extract-to-dir")


@contextmanager
def _named(ref: str, path: str) -> Iterator[None]:
    """What is not there is told with the name that the client gave the container."""
    try:
        yield
    except NotFound:
        raise NotFound(f"Could not find the file {path} in container {ref}") from None


def _checked(path: str) -> str:
    if not path:
        raise InvalidParameter('bad parameter: "path" cannot be empty')
    return path
