"""Platforms of images, as the OCI image specification names them: linux/amd64, linux/arm/v7."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from zonehost.errors import InvalidParameter

_PART: Final = re.compile(r"[A-Za-z0-9_.-]+")
_ARCHITECTURES: Final = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "arm64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armel": ("arm", "v6"),
}
_DEFAULT_VARIANTS: Final = {"arm64": "v8", "arm": "v7"}


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on. An empty variant is the architecture's usual one."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def runs(self, image: Platform) -> bool:
        """Whether an image of that platform is what this platform asks for."""
        return (self.os, self.architecture, self._variant) == (image.os, image.architecture, image._variant)

    @property
    def _variant(self) -> str:
        return self.variant or _DEFAULT_VARIANTS.get(self.architecture, "")


def parse_platform(text: str, host: Platform) -> Platform:
    """Read `os/arch[/variant]`, or an architecture or a system alone, completed from the host's.

    Raises:
        InvalidParameter: it is no platform.
    """
    parts = text.split("/")
    if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidParameter(f'invalid platform "{text}": it must be of the form os[/arch[/variant]]')
    if len(parts) == 1:
        if parts[0].lower() in ("linux", "windows", "darwin", "freebsd"):
            return Platform(parts[0].lower(), host.architecture, host.variant)
        return machine_platform(parts[0])
    found = machine_platform(parts[1])
    return Platform(parts[0].lower(), found.architecture, parts[2].lower() if len(parts) == 3 else found.variant)


def machine_platform(machine: str) -> Platform:
    """The Linux platform of a machine name: uname(2)'s x86_64, or an architecture's name."""
    architecture, variant = _ARCHITECTURES.get(machine.lower(), (machine.lower(), ""))
    return Platform("linux", architecture, variant)
