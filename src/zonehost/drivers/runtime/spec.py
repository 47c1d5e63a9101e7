"""A blueprint as the OCI runtime configuration that crun wants (opencontainers/runtime-spec, config.md).

Pure: all that had to be looked up or made ready is in the `Site`. There are no `linux.resources` and no `cgroupsPath`:
zonehost sets limits itself, and crun runs with its cgroup manager disabled.
"""

from __future__ import annotations

from typing import Any, Final

from zonehost.domain.blueprint import Blueprint
from zonehost.drivers.runtime.seccomp_program import ANNOTATION
from zonehost.drivers.runtime.site import Site
from zonehost.drivers.runtime.spec_devices import Node
from zonehost.drivers.runtime.spec_mounts import INIT, mounts
from zonehost.drivers.runtime.spec_process import process

_PROPAGATIONS: Final = (("shared", "shared"), ("slave", "rslave"))


def config(blueprint: Blueprint, site: Site) -> dict[str, Any]:
    """The whole of config.json.

    Raises:
        Unsupported: a capability that cannot be had here.
    """
    joins = blueprint.namespaces
    own_init = blueprint.process.init and joins.pid == "private"
    own_process = process(blueprint.process, site.account, userns=site.userns)
    if own_init:
        own_process["args"] = [INIT, "--", *own_process["args"]]
    whole: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "root": {"path": site.root, "readonly": blueprint.root.readonly},
        "process": own_process,
        "mounts": mounts(blueprint, site, init=own_init),
        "linux": _linux(blueprint, site),
    }
    if joins.uts == "private":
        whole["hostname"] = blueprint.hostname
        if blueprint.domainname:
            whole["domainname"] = blueprint.domainname
    annotations = {**blueprint.annotations, ANNOTATION: site.seccomp} if site.seccomp else blueprint.annotations
    if annotations:
        whole["annotations"] = annotations
    return whole


def _linux(blueprint: Blueprint, site: Site) -> dict[str, Any]:
    linux: dict[str, Any] = {
        "namespaces": [
            {"type": kind, "path": path} if path else {"type": kind} for kind, path in site.namespaces.items()
        ],
        "maskedPaths": blueprint.masked_paths,
        "readonlyPaths": blueprint.readonly_paths,
        "rootfsPropagation": _root_propagation(blueprint),
    }
    if blueprint.sysctls:
        linux["sysctl"] = blueprint.sysctls
    if not site.userns:
        linux["devices"] = [_device(node) for node in site.devices]
    return linux


def _device(node: Node) -> dict[str, Any]:
    return {
        "path": node.destination,
        "type": node.kind,
        "major": node.major,
        "minor": node.minor,
        "fileMode": node.mode,
        "uid": node.uid,
        "gid": node.gid,
    }


def _root_propagation(blueprint: Blueprint) -> str:
    """Mounts inside a bind can only spread as far as the root's own propagation lets them."""
    for word, propagation in _PROPAGATIONS:
        if any(word in bind.propagation for bind in blueprint.binds):
            return propagation
    return "rprivate"
