"""The `--mount` flag of RUN, as data. Source: Docker's Dockerfile reference, "RUN --mount"."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from zonehost.builder.faults import SyntaxFault

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPES: Final = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARING: Final = ("shared", "private", "locked")
_TRUTHS: Final = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}
_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_HIGHEST: Final = (1 << 32) - 2
"""The last id that a file can belong to (chown(2))."""
_OWNED: Final = ("cache", "secret", "ssh")
_ALIASES: Final = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMount:
    """One mount of a RUN. `origin` is a stage or an image (empty: the build context); `size` is bytes."""

    type: str = "bind"
    origin: str = ""
    source: str = ""
    target: str = ""
    readonly: bool = False
    required: bool = False
    id: str = ""
    sharing: str = ""
    size: int = 0
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    env: str = ""
    """The variable that a secret becomes. Without a target, it is no file then."""


def mount_origin(text: str) -> str:
    """The `from` of a mount that is not yet expanded, for the graph of stages; variables cannot stand there.

    Raises:
        SyntaxFault: a variable does.
    """
    for key, value in _fields(text):
        if key == "from":
            if re.search(r"\$.", value or ""):
                raise SyntaxFault("'from' doesn't support variable expansion, define alias stage instead")
            return value or ""
    return ""


def read_mount(text: str, expand: Callable[[str], str]) -> RunMount:
    """Read one `--mount`, expanding variables in its values. Raises SyntaxFault."""
    values: dict[str, object] = {}
    kind = "bind"
    for key, raw in _fields(text):
        if raw is None:
            if key in ("readonly", "readwrite"):
                values["readonly"] = key == "readonly"
            elif key == "required" and kind in ("secret", "ssh"):
                values["required"] = True
            elif key == "required":
                raise SyntaxFault(f"unexpected key 'required' for mount type '{kind}'")
            else:
                raise SyntaxFault(f"invalid field '{key}' must be a key=value pair")
            continue
        value = expand(raw)
        if key == "type":
            kind = value.lower()
            if kind not in _TYPES:
                raise SyntaxFault(f'unsupported mount type "{value}"')
            values["type"] = kind
        else:
            values.update(_value(key, value, kind))
    values.setdefault("readonly", kind not in ("cache", "tmpfs"))
    mount = RunMount(**values)  # type: ignore[arg-type]
    _check(mount)
    return mount


def _fields(text: str) -> list[tuple[str, str | None]]:
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise SyntaxFault(f"failed to parse csv mounts: {error}") from error
    found: list[tuple[str, str | None]] = []
    for item in rows[0] if rows else []:
        key, equals, value = item.partition("=")
        key = key.lower()
        found.append((_ALIASES.get(key, key), value if equals else None))
    return found


def _value(key: str, value: str, kind: str) -> dict[str, object]:
    if key == "from":
        return {"origin": value}
    if key in ("source", "target", "id"):
        return {key: value}
    if key in ("readonly", "readwrite", "required"):
        truth = _TRUTHS.get(value.lower())
        if truth is None:
            raise SyntaxFault(f"invalid value for {key}: {value}")
        if key == "required" and kind not in ("secret", "ssh"):
            raise SyntaxFault(f"unexpected key 'required' for mount type '{kind}'")
        return {"required": truth} if key == "required" else {"readonly": truth == (key == "readonly")}
    if key == "env":
        if kind != "secret":
            raise SyntaxFault(f"unexpected key 'env' for mount type '{kind}'")
        if not value or "=" in value:
            raise SyntaxFault(f"invalid value {value} for env")
        return {"env": value}
    if key == "sharing":
        if value.lower() not in _SHARING:
            raise SyntaxFault(f'unsupported sharing value "{value}"')
        return {"sharing": value.lower()}
    if key == "size":
        if kind != "tmpfs":
            raise SyntaxFault(f"unexpected key 'size' for mount type '{kind}'")
        return {"size": _bytes(value)}
    if key in ("mode", "uid", "gid"):
        base = 8 if key == "mode" else 10
        if not re.fullmatch(r"0*[0-7]{1,5}" if base == 8 else r"[0-9]{1,10}", value) or int(value, base) > _HIGHEST:
            raise SyntaxFault(f"invalid value {value} for {key}")
        return {key: int(value, base)}
    raise SyntaxFault(f"unexpected key '{key}' in '{key}={value}'")


def _bytes(value: str) -> int:
    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?([kmgt]?)(?:i?b)?", value.lower())
    if not match:
        raise SyntaxFault(f"invalid value for size: {value}")
    return int(float(match[1]) * _UNITS[match[2]])


def _check(mount: RunMount) -> None:
    if mount.type not in _OWNED:
        for name in ("mode", "uid", "gid"):
            if getattr(mount, name) is not None:
                raise SyntaxFault(f'{name} not allowed for "{mount.type}" type mounts')
    if mount.sharing and mount.type != "cache":
        raise SyntaxFault(f"invalid cache sharing set for {mount.type} mount")
    if mount.type == "secret":
        if mount.origin:
            raise SyntaxFault("secret mount should not have a from")
        if not (mount.source or mount.target or mount.id or mount.env):
            raise SyntaxFault("invalid secret mount. one of source, target required")
        if mount.source and mount.id:
            raise SyntaxFault("both source and id can't be set")
    if mount.type in ("bind", "cache", "tmpfs") and not mount.target:
        raise SyntaxFault(f"{mount.type} mount needs a target")
