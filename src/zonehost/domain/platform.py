"""Platforms of images, as the OCI image specification names them: linux/amd64, linux/arm/v7."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from zonehost.errors import InvalidParameter

_OS: Final = re.compile(r"^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)\))?$")
_PART: Final = re.compile(r"^[A-Za-z0-9_.-]+$")
_SYSTEMS: Final = (
    "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos"
)
_KNOWN: Final = (
    "386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 "
    "mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm"
)
"""The architectures of Go (go/build/syslist.go), which names them for all."""
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
        InvalidParameter: it is no platform, in the words of containerd, which reads them for Docker.
    """
    first, *rest = text.split("/")
    if _OS.match(first) is None:
        raise InvalidParameter(
            f'"{first}" is an invalid OS component of "{text}": OSAndVersion specifier component must match '
            f'"{_OS.pattern}": invalid argument'
        )
    for part in rest:
        if _PART.match(part) is None:
            raise InvalidParameter(
                f'"{part}" is an invalid component of "{text}": platform specifier component must match '
                f'"{_PART.pattern}": invalid argument'
            )
    if len(rest) > 2:
        raise InvalidParameter(f'"{text}": cannot parse platform specifier: invalid argument')
    system = first.partition("(")[0].lower().replace("macos", "darwin")
    if not rest:
        if system in _SYSTEMS.split():
            return Platform(system, host.architecture, host.variant)
        if (alone := machine_platform(first)).architecture in _KNOWN.split():
            return alone
        raise InvalidParameter(f'"{text}": unknown operating system or architecture: invalid argument')
    found = machine_platform(rest[0])
    return Platform(system, found.architecture, rest[1].lower() if len(rest) > 1 else found.variant)


def machine_platform(machine: str) -> Platform:
    """The Linux platform of a machine name: uname(2)'s x86_64, or an architecture's name."""
    architecture, variant = _ARCHITECTURES.get(machine.lower(), (machine.lower(), ""))
    return Platform("linux", architecture, variant)
