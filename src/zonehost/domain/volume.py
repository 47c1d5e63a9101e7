"""The record of a volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from zonehost.domain.phase import Phase
from zonehost.errors import InvalidParameter, Unsupported

FILE_SYSTEMS: Final = ("ext4", "xfs", "erofs", "squashfs")
"""What a volume of the type image may hold."""
ANONYMOUS_LABEL: Final = "com.docker.volume.anonymous"
_BINDING: Final = ("bind", "rbind")


class ImageFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the host with a file system in it, which is mounted for a zone. An empty `fstype` is found out."""

    device: str
    fstype: str = ""
    readonly: bool = False


class HostFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of the host that is a volume, with what is mounted inside it if it is `recursive`."""

    device: str
    readonly: bool = False
    recursive: bool = False


def image_file(options: Mapping[str, str] | None) -> ImageFile | None:
    """The image file that a volume of these options is; None where it is none. Raises InvalidParameter."""
    if options is None or options.get("type") != "image":
        return None
    for option in options:
        if option not in ("type", "device", "fstype", "ro"):
            raise InvalidParameter(f"volume option {option}: not with type=image")
    device, fstype = options.get("device", ""), options.get("fstype", "")
    if not device.startswith("/"):
        raise InvalidParameter(f'volume option device: "{device}" is no absolute path')
    if fstype not in ("", *FILE_SYSTEMS):
        raise InvalidParameter(f'volume option fstype: "{fstype}" is none of {", ".join(FILE_SYSTEMS)}')
    if options.get("ro", "") not in ("", "true", "false"):
        raise InvalidParameter(f'volume option ro: "{options["ro"]}" is neither true nor false')
    return ImageFile(device=device, fstype=fstype, readonly=options.get("ro", "false") != "false")


def host_folder(options: Mapping[str, str] | None) -> HostFolder | None:
    """The folder of the host that a volume of these options is, as mount(8) would bind it; None where it is none.

    Raises:
        InvalidParameter: an option does not fit. Unsupported: it is of another type of Docker's.
    """
    asked = {name: text for name, text in (options or {}).items() if name in ("type", "o", "device")}
    if not asked or asked.get("type") == "image":
        return None
    words = set(filter(None, asked.get("o", "").split(",")))
    if "type" in asked and words.isdisjoint(_BINDING):
        kind = asked["type"]
        raise Unsupported(f'volume option type: "{kind}" is not supported, only image, and none with o=bind')
    for name in ("type", "device"):
        if name not in asked:
            raise InvalidParameter(f'missing required option: "{name}"')
    for word in sorted(words - {*_BINDING, "ro", "rw"}):
        raise Unsupported(f'volume option o: "{word}" is not supported, only bind, rbind, ro and rw')
    for name in sorted((options or {}).keys() - asked.keys()):
        raise InvalidParameter(f"volume option {name}: not with o=bind")
    device = asked["device"]
    if not device.startswith("/"):
        raise InvalidParameter(f'volume option device: "{device}" is no absolute path')
    return HostFolder(device=device, readonly="ro" in words, recursive="rbind" in words)


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A named dataset that containers mount."""

    kind: ClassVar[str] = "volume"

    name: str
    created: int
    driver: str = "local"
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    anonymous: bool = False
    origin: str = ""
    """The id of the snapshot that it was cloned from."""
    phase: Phase = Phase.MAKING

    @property
    def key(self) -> str:
        """What the store finds it by."""
        return self.name

    @property
    def limited(self) -> bool:
        """Whether its options bound what can be in it: bytes, or the subvolumes of one that is delegated."""
        options = self.options or {}
        return "size" in options or options.get("delegated") == "true"
