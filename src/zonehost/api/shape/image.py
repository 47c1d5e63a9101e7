"""Images, as inspect, list, history and remove show them."""

from __future__ import annotations

from typing import Any, Final

from zonehost.api.shape.config import config
from zonehost.api.shape.container import STORAGE
from zonehost.api.shape.lean import lean
from zonehost.api.shape.times import ZERO, rfc3339
from zonehost.api.version import Version
from zonehost.domain.config import Config
from zonehost.engine.image.history import HistoryEntry
from zonehost.engine.image.inspect import ImageDetail
from zonehost.engine.image.listing import ImageSummary
from zonehost.engine.image.remove import Removed

_ALWAYS: Final = ("User", "Env", "Cmd", "Volumes", "WorkingDir", "Entrypoint", "OnBuild", "Labels")
_IF_THERE: Final = ("ExposedPorts", "Healthcheck", "ArgsEscaped", "StopSignal", "Shell")
"""What of a configuration is an image's own; since API 1.50 nothing else is shown, and of these only what is set."""


def detail(found: ImageDetail, version: Version) -> dict[str, Any]:
    """`GET /images/{name}/json`."""
    image, configuration = found.image, found.config
    answer: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": found.tags,
        "RepoDigests": found.digests,
        "Parent": image.parent,
        "Comment": configuration.comment,
        "Created": configuration.created or ZERO,
        "DockerVersion": configuration.docker_version,
        "Author": configuration.author,
        "Config": image_config(configuration.run) if version >= (1, 50) else config(configuration.run),
        "Architecture": configuration.architecture,
        "Os": configuration.os,
        "Size": image.size,
        "GraphDriver": {"Data": _graph(found.layer_paths), "Name": STORAGE},
        "RootFS": {"Type": "layers", "Layers": image.layers},
        "Metadata": {"LastTagTime": rfc3339(found.last_tagged)},
    }
    if configuration.variant:
        answer["Variant"] = configuration.variant
    if configuration.os_version:
        answer["OsVersion"] = configuration.os_version
    if version < (1, 45):
        # docker-compose 1.29 reads the volumes of an image from here.
        answer["Container"] = ""
        answer["ContainerConfig"] = answer["Config"]
    if version < (1, 44):
        answer["VirtualSize"] = image.size
    return answer


def image_config(value: Config) -> dict[str, Any]:
    """The configuration of an image, without what is a container's."""
    raw = lean(value)
    return {name: raw[name] for name in (*_ALWAYS, *_IF_THERE) if name in _ALWAYS or raw[name]}


def summary(found: ImageSummary, version: Version) -> dict[str, Any]:
    """One of `GET /images/json`."""
    answer: dict[str, Any] = {
        "Containers": found.containers,
        "Created": found.created,
        "Id": found.image.id,
        "Labels": found.labels or None,
        "ParentId": found.image.parent,
        "RepoDigests": found.digests,
        "RepoTags": found.tags,
        "SharedSize": found.shared_size,
        "Size": found.image.size,
    }
    if version < (1, 43) and not found.tags and not found.digests:
        # Older clients take an image for nameless only by these words.
        answer["RepoTags"] = ["<none>:<none>"]
        answer["RepoDigests"] = ["<none>@<none>"]
    if version < (1, 44):
        answer["VirtualSize"] = found.image.size
    return answer


def history(entry: HistoryEntry) -> dict[str, Any]:
    """One of `GET /images/{name}/history`."""
    return {
        "Id": entry.id,
        "Created": entry.created,
        "CreatedBy": entry.created_by,
        "Tags": entry.tags or None,
        "Size": entry.size,
        "Comment": entry.comment,
    }


def removed(step: Removed) -> dict[str, str]:
    """One of the answers to `DELETE /images/{name}`."""
    return {"Untagged": step.untagged} if step.untagged else {"Deleted": step.deleted}


def _graph(layers: tuple[str, ...]) -> dict[str, str]:
    """Docker's `UpperDir` is the topmost layer, `LowerDir` those under it, topmost first."""
    if not layers:
        return {}
    upper, lower = layers[-1], ":".join(reversed(layers[:-1]))
    return {"UpperDir": upper, **({"LowerDir": lower} if lower else {})}
