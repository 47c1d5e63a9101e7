"""What `-v`, `--mount` and `--volumes-from` ask for, read into mount points; in Docker's words where it is wrong.

Owns grammar and consistency only: whether a source or a volume exists is asked elsewhere.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Final

import msgspec

from zonehost.domain.container import MountPoint
from zonehost.domain.host_config import BindOptions, Mount, TmpfsOptions, VolumeOptions
from zonehost.errors import InvalidParameter, Unsupported

PROPAGATIONS: Final = frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared"})
_CONSISTENCIES: Final = frozenset({"", "default", "consistent", "cached", "delegated"})
# z and Z are for SELinux; where it is off, Docker lets them pass without effect.
_MODE_GROUPS: Final = (
    frozenset({"rw", "ro"}),
    frozenset({"z", "Z"}),
    PROPAGATIONS,
    frozenset({"nocopy"}),
    _CONSISTENCIES - {"", "default"},
)
_PROC_FILES: Final = frozenset(
    {
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/loadavg",
        "/proc/meminfo",
        "/proc/net/dev",
        "/proc/slabinfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/sys/crypto/fips_enabled",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/uptime",
    }
)
"""What may be covered in /proc: the list of runc (`checkProcMount`), made for what LXCFS shows."""
_SIZE_UNITS: Final = ((1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k"))
_ROOT_TARGET: Final = "invalid specification: destination can't be '/'"


@dataclass(frozen=True, slots=True)
class MountAsk:
    """A mount point to be, and what a volume that has to be made for it shall be like."""

    point: MountPoint
    volume: VolumeOptions | None = None


def parse_bind(text: str, volume_driver: str = "", *, recursive_readonly: bool = True) -> MountAsk:
    """Read `source:destination[:mode]`; the source is a host path or a volume's name.

    `recursive_readonly` is whether a mode `ro` is of the mounts below the source too.

    Raises:
        InvalidParameter: it is badly written.
    """
    parts = text.split(":")
    if not parts[0] or len(parts) > 3 or (len(parts) == 2 and _valid_mode(parts[1])):
        raise InvalidParameter(f"invalid volume specification: '{text}'")
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    mode = parts[2] if len(parts) == 3 else ""
    if not _valid_mode(mode):
        raise InvalidParameter(f"invalid mode: {mode}")
    words = mode.split(",")
    kind = "bind" if source.startswith("/") else "volume"
    propagation = next((word for word in words if word in PROPAGATIONS), "")
    wrong = _target_fault(target)
    if not wrong and propagation and kind == "volume":
        wrong = "field BindOptions must not be specified"
    if not wrong and "nocopy" in words and kind == "bind":
        wrong = "field VolumeOptions must not be specified"
    if wrong:
        raise InvalidParameter(
            f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": {wrong}"
        )
    point = MountPoint(
        type=kind,
        destination=posixpath.normpath(target),
        source=posixpath.normpath(source) if kind == "bind" else "",
        name=source if kind == "volume" else "",
        driver=(volume_driver or "local") if kind == "volume" else "",
        mode=mode or ("z" if kind == "volume" and source else ""),
        writable="ro" not in words,
        propagation=(propagation or "rprivate") if kind == "bind" else "",
        anonymous=kind == "volume" and not source,
        no_copy="nocopy" in words,
        recursive_readonly=recursive_readonly,
        create_source=kind == "bind",
    )
    return MountAsk(point)


def parse_mount(mount: Mount) -> MountAsk:
    """Read what `--mount` asks for.

    Raises:
        InvalidParameter: fields are missing, do not go together or have unknown values.
        Unsupported: the type is one of other systems.
    """
    try:
        return _parse_mount(mount)
    except InvalidParameter as error:
        raise InvalidParameter(f'invalid mount config for type "{mount.type}": {error}') from None


def parse_volumes_from(text: str) -> tuple[str, bool]:
    """Read `container[:ro|rw]`: the container, and whether its volumes are writable.

    Raises:
        InvalidParameter: it is badly written.
    """
    if not text:
        raise InvalidParameter("volumes-from specification cannot be an empty string")
    container, _, mode = text.partition(":")
    words = set(mode.split(","))
    if not _valid_mode(mode) or words & (PROPAGATIONS | {"nocopy"}):
        raise InvalidParameter(f"invalid mode: {mode}")
    return container, "ro" not in words


def check_outside_proc(destination: str) -> None:
    """Whether something may be mounted there, in runc's words: it could hide from a process what the kernel says.

    Raises:
        InvalidParameter: it is inside /proc.
    """
    if destination.startswith("/proc/") and destination not in _PROC_FILES:
        raise InvalidParameter(f'"{destination}" cannot be mounted because it is inside /proc')


def checked_tmpfs_target(target: str) -> str:
    """The destination of a `--tmpfs`, made plain.

    Raises:
        InvalidParameter: it is the root or not absolute.
    """
    if wrong := _target_fault(target):
        raise InvalidParameter(wrong)
    return posixpath.normpath(target)


def _parse_mount(mount: Mount) -> MountAsk:
    if mount.type in ("npipe", "cluster"):
        raise Unsupported(f"mount type {mount.type}: not on this host")
    if mount.type not in _FORBIDDEN:
        raise InvalidParameter("mount type unknown")
    if not mount.target:
        raise InvalidParameter("field Target must not be empty")
    if wrong := _target_fault(mount.target):
        raise InvalidParameter(wrong)
    if mount.consistency not in _CONSISTENCIES:
        raise InvalidParameter(f"invalid consistency: {mount.consistency}")
    for attribute, name in _FORBIDDEN[mount.type]:
        if getattr(mount, attribute):
            raise InvalidParameter(f"field {name} must not be specified")
    point = MountPoint(type=mount.type, destination=posixpath.normpath(mount.target), writable=not mount.read_only)
    match mount.type:
        case "bind":
            return MountAsk(_bind_point(point, mount))
        case "volume":
            return _volume_ask(point, mount)
        case "tmpfs":
            return MountAsk(msgspec.structs.replace(point, tmpfs_options=_tmpfs_words(mount)))
        case _:
            subpath = mount.image_options.subpath if mount.image_options else ""
            if not mount.source:
                raise InvalidParameter("field Source must not be empty")
            _check_subpath(subpath)
            return MountAsk(msgspec.structs.replace(point, source=mount.source, subpath=subpath, writable=False))


_FORBIDDEN: Final = {
    "bind": (
        ("volume_options", "VolumeOptions"),
        ("image_options", "ImageOptions"),
        ("tmpfs_options", "TmpfsOptions"),
    ),
    "volume": (
        ("bind_options", "BindOptions"),
        ("image_options", "ImageOptions"),
        ("tmpfs_options", "TmpfsOptions"),
    ),
    "tmpfs": (
        ("bind_options", "BindOptions"),
        ("volume_options", "VolumeOptions"),
        ("image_options", "ImageOptions"),
        ("source", "Source"),
    ),
    "image": (
        ("bind_options", "BindOptions"),
        ("volume_options", "VolumeOptions"),
        ("tmpfs_options", "TmpfsOptions"),
    ),
}


def _bind_point(point: MountPoint, mount: Mount) -> MountPoint:
    options = mount.bind_options or BindOptions()
    if not mount.source:
        raise InvalidParameter("field Source must not be empty")
    if not mount.source.startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{mount.source}' mount path must be absolute")
    if options.propagation and options.propagation not in PROPAGATIONS:
        raise InvalidParameter(f"invalid propagation mode: {options.propagation}")
    if options.read_only_non_recursive and options.read_only_force_recursive:
        raise InvalidParameter("ReadOnlyForceRecursive must not be specified with ReadOnlyNonRecursive")
    if (options.read_only_non_recursive or options.read_only_force_recursive) and not mount.read_only:
        raise InvalidParameter("mount must be set ReadOnly for ReadOnlyNonRecursive or ReadOnlyForceRecursive")
    return msgspec.structs.replace(
        point,
        source=posixpath.normpath(mount.source),
        propagation=options.propagation or "rprivate",
        recursive=not options.non_recursive,
        recursive_readonly=not options.read_only_non_recursive,
        create_source=options.create_mountpoint,
    )


def _volume_ask(point: MountPoint, mount: Mount) -> MountAsk:
    options = mount.volume_options or VolumeOptions()
    if mount.read_only and not mount.source:
        raise InvalidParameter("must not set ReadOnly mode when using anonymous volumes")
    if options.subpath and not mount.source:
        raise InvalidParameter("must not set Subpath when using anonymous volumes")
    _check_subpath(options.subpath)
    driver = options.driver_config.name if options.driver_config else ""
    return MountAsk(
        msgspec.structs.replace(
            point,
            name=mount.source,
            driver=driver or "local",
            mode="z",
            anonymous=not mount.source,
            no_copy=options.no_copy,
            subpath=options.subpath,
        ),
        options,
    )


def _tmpfs_words(mount: Mount) -> str:
    options = mount.tmpfs_options or TmpfsOptions()
    words = ["ro"] if mount.read_only else []
    if options.mode:
        words.append(f"mode={options.mode:o}")
    if options.size_bytes < 0:
        raise InvalidParameter("field SizeBytes must not be negative")
    if options.size_bytes:
        unit, letter = next(((u, c) for u, c in _SIZE_UNITS if options.size_bytes % u == 0), (1, ""))
        words.append(f"size={options.size_bytes // unit}{letter}")
    for option in options.options or ():
        if len(option) not in (1, 2):
            raise InvalidParameter("invalid option array length")
        if option[0] not in ("exec", "noexec"):
            raise InvalidParameter(f"invalid option: {option[0]}")
        words.append("=".join(option))
    return ",".join(words)


def _check_subpath(subpath: str) -> None:
    plain = posixpath.normpath(subpath) if subpath else ""
    if plain == ".." or plain.startswith(("/", "../")):
        raise InvalidParameter("subpath must be a relative path within the volume")


def _target_fault(target: str) -> str:
    if posixpath.normpath(target) in ("/", "//"):
        return _ROOT_TARGET
    if not target.startswith("/"):
        return f"invalid mount path: '{target}' mount path must be absolute"
    return ""


def _valid_mode(mode: str) -> bool:
    if not mode:
        return True
    words = mode.split(",")
    known = all(any(word in group for group in _MODE_GROUPS) for word in words)
    return known and all(sum(word in group for word in words) <= 1 for group in _MODE_GROUPS)
