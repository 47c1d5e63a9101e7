"""File systems in image files, mounted for a zone by a job of their own: the launcher, in the zone's cgroup, may use no
loop device. The mounts are detached: they live as long as a descriptor of them, and then as the zone's namespace.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from zonehost.domain.blueprint import BindMount
from zonehost.domain.volume import ImageFile
from zonehost.errors import InvalidParameter
from zonehost.linux import ancillary, loop_image
from zonehost.linux.answering import answering
from zonehost.linux.forkserver import ForkServer
from zonehost.linux.jobs import run

_JOB: Final = "zonehost.drivers.runtime.image_mounts:mount"


async def mount_images(forks: ForkServer, binds: Sequence[BindMount]) -> list[int]:
    """A descriptor of a detached mount for each bind that is an image file, in their order; the caller closes them.

    Raises:
        InvalidParameter: a file is not there or not as it should be, or another program has it.
    """
    images = [bind.image for bind in binds if bind.image is not None]
    mounted: list[int] = []
    if images:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            await run(forks, _JOB, images, [theirs.fileno()])
            for _ in images:
                mounted += ancillary.receive(ours, 1, 1)[1]
    return mounted


def _mount(arguments: Any, fds: list[int]) -> None:
    """Send back a packet with the mount of each image."""
    with socket.socket(fileno=fds[0]) as back:
        for image in msgspec.convert(arguments, list[ImageFile]):
            try:
                mounted = loop_image.mount(Path(image.device), image.fstype, readonly=image.readonly)
            except (loop_image.NotAnImage, loop_image.ImageInUse, OSError) as error:
                raise InvalidParameter(f"the image {image.device} cannot be mounted: {error}") from error
            socket.send_fds(back, [b"m"], [mounted])
            os.close(mounted)


mount = answering(_mount)
