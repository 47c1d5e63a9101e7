"""What a client asks of the frontend `dockerfile.v0`, as a request to the builder: each option is obeyed, or refused.

Source: BuildKit v0.25, frontend/dockerui/config.go, and Docker's buildx, build/opt.go.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from zonehost.api.buildkit.messages import CacheEntry
from zonehost.domain.host_config import HostConfig, Ulimit
from zonehost.errors import InvalidParameter, Unsupported

V = TypeVar("V")

FRONTEND: Final = "dockerfile.v0"
_ARGUMENT: Final = "build-arg:"
_LABEL: Final = "label:"
_CONTEXT: Final = "context:"
_SESSION: Final = "local-sessionid:"
_WITHOUT_EFFECT: Final = ("vcs:", "input-metadata:")
"""What git says of the context goes into attestations alone, which are asked for apart; metadata repeats the inputs."""
_CAPABILITIES: Final = frozenset(f"moby.buildkit.frontend.{name}" for name in ("contexts", "inputs", "gitquerystring"))
_REFUSED_ARGUMENTS: Final = frozenset(
    {
        "BUILDKIT_SYNTAX",
        "BUILDKIT_SANDBOX_HOSTNAME",
        "BUILDKIT_CACHE_MOUNT_NS",
        "BUILDKIT_DOCKERFILE_CHECK",
    }
)
_CACHES: Final = ("registry", "inline")
_NETWORKS: Final = {"": "default", "sandbox": "default", "default": "default", "host": "host", "none": "none"}
_PULLS: Final = {"": False, "default": False, "local": False, "pull": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one solve. `context` is an address, or empty for the tree `context` of the client."""

    filename: str = "Dockerfile"
    dockerfile_tree: str | None = None
    """The tree that holds the Dockerfile, where that is said."""
    context: str = ""
    target: str = ""
    platform: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    no_cache: bool = False
    uncached: frozenset[str] = frozenset()
    pull: bool = False
    network: str = "default"
    host_config: HostConfig = field(default_factory=HostConfig)
    cache_from: tuple[str, ...] = ()
    contexts: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    """By trees: the session that offers it, where that is not the build's own."""


def read_options(attributes: Mapping[str, str], imports: Iterable[CacheEntry] = ()) -> Options:
    """The options that these attributes are.

    Raises:
        Unsupported: one of them cannot be obeyed. InvalidParameter: one is wrong.
    """
    left = {name: value for name, value in attributes.items() if not name.startswith(_WITHOUT_EFFECT)}
    arguments = _taken(left, _ARGUMENT)
    for name in _REFUSED_ARGUMENTS & arguments.keys():
        raise Unsupported(f"the build argument {name} is not supported")
    for named in (arguments.get("BUILDKIT_MULTI_PLATFORM", ""), left.pop("multi-platform", "")):
        if named.lower() in ("1", "t", "true"):
            raise Unsupported("images of several platforms are not supported")
    platform = left.pop("platform", "")
    if "," in platform:
        raise Unsupported("building for several platforms at once is not supported")
    if request := left.pop("requestid", ""):
        raise Unsupported(f"the request {request} is not supported")
    _check_capabilities(left.pop("frontend.caps", ""))
    no_cache = left.pop("no-cache", None)
    host_config = HostConfig(
        shm_size=_number(left, "shm-size"),
        ulimits=_ulimits(left.pop("ulimit", "")) or None,
        extra_hosts=tuple(row.replace("=", ":", 1) for row in _row(left.pop("add-hosts", ""))) or None,
        cgroup_parent=left.pop("cgroup-parent", ""),
    )
    options = Options(
        filename=left.pop("filename", "") or "Dockerfile",
        dockerfile_tree=left.pop("dockerfilekey", None),
        context=left.pop("context", ""),
        target=left.pop("target", ""),
        platform=platform,
        arguments=arguments,
        labels=_taken(left, _LABEL),
        no_cache=no_cache == "",
        uncached=frozenset(filter(None, (no_cache or "").lower().split(","))),
        pull=_choice(left, "image-resolve-mode", _PULLS),
        network=_choice(left, "force-network-mode", _NETWORKS),
        host_config=host_config,
        cache_from=_caches(left, imports),
        contexts=_taken(left, _CONTEXT),
        sessions=_taken(left, _SESSION),
    )
    for name in left:
        raise Unsupported(f"the option {name} of the frontend {FRONTEND} is not supported")
    return options


def _taken(attributes: dict[str, str], prefix: str) -> dict[str, str]:
    """Take all attributes with a prefix; without it."""
    names = [name for name in attributes if name.startswith(prefix)]
    return {name.removeprefix(prefix): attributes.pop(name) for name in names}


def _check_capabilities(text: str) -> None:
    """A frontend may be asked to know things; those marked so go on to another frontend, which we never call."""
    for name in filter(None, text.split(",")):
        if not name.endswith("+forward") and name not in _CAPABILITIES:
            raise Unsupported(f"the capability {name} is not supported")


def _choice(attributes: dict[str, str], name: str, values: Mapping[str, V]) -> V:
    text = attributes.pop(name, "")
    if text not in values:
        raise InvalidParameter(f"invalid {name}: {text}")
    return values[text]


def _number(attributes: dict[str, str], name: str) -> int:
    text = attributes.pop(name, "") or "0"
    if not text.isdecimal():
        raise InvalidParameter(f"invalid {name}: {text}")
    return int(text)


def _row(text: str) -> list[str]:
    return next(csv.reader([text]), []) if text else []


def _ulimits(text: str) -> tuple[Ulimit, ...]:
    found = []
    for row in _row(text):
        name, _, limits = row.partition("=")
        soft, _, hard = limits.partition(":")
        try:
            found.append(Ulimit(name=name, soft=int(soft), hard=int(hard or soft)))
        except ValueError:
            raise InvalidParameter(f"invalid ulimit: {row}") from None
    return tuple(found)


class _CacheRow(msgspec.Struct):
    """A cache as the attribute `cache-imports` has it, in JSON."""

    Type: str = ""
    Attrs: dict[str, str] = {}


def _caches(attributes: dict[str, str], imports: Iterable[CacheEntry]) -> tuple[str, ...]:
    """The images whose steps may be used."""
    entries = list(imports)
    if text := attributes.pop("cache-imports", ""):
        try:
            rows = msgspec.json.decode(text, type=list[_CacheRow])
        except msgspec.MsgspecError as error:
            raise InvalidParameter(f"invalid cache-imports: {error}") from error
        entries += [CacheEntry(type=row.Type, attrs=row.Attrs) for row in rows]
    names = list(filter(None, attributes.pop("cache-from", "").split(",")))
    for entry in entries:
        if entry.type not in _CACHES:
            raise Unsupported(f"the cache type {entry.type} is not supported")
        names.append(entry.attrs.get("ref", ""))
    return tuple(dict.fromkeys(filter(None, names)))
