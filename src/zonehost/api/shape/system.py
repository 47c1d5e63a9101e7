"""The host as a whole: info, version, disk usage."""

from __future__ import annotations

from typing import Any, Final

from zonehost.api.shape import volume as volumes
from zonehost.api.shape.container_list import entry
from zonehost.api.shape.image import summary
from zonehost.api.shape.times import rfc3339
from zonehost.api.version import MAXIMUM, MINIMUM, Version
from zonehost.domain.host_config_check import RUNTIME
from zonehost.domain.log_config import DRIVERS
from zonehost.domain.proxies import masked
from zonehost.engine.system.df import DiskUsage, VolumeUsage
from zonehost.engine.system.info import HostInfo
from zonehost.engine.system.version import HostVersion
from zonehost.engine.volume.inspect import VolumeDetail

_LOOPBACK: Final = ("::1/128", "127.0.0.0/8")
"""Registries on loopback are spoken to without TLS, as in Docker."""
_INDEX: Final = "https://index.docker.io/v1/"
_NO_SWARM: Final = {
    "NodeID": "",
    "NodeAddr": "",
    "LocalNodeState": "inactive",
    "ControlAvailable": False,
    "Error": "",
    "RemoteManagers": None,
}


def version(found: HostVersion) -> dict[str, Any]:
    """`GET /version`."""
    engine = {
        "ApiVersion": str(MAXIMUM),
        "MinAPIVersion": str(MINIMUM),
        "GitCommit": "",
        "GoVersion": "",
        "Os": found.os,
        "Arch": found.architecture,
        "KernelVersion": found.kernel,
        "BuildTime": "",
    }
    components = [{"Name": "Engine", "Version": found.version, "Details": {**engine, "Experimental": "false"}}]
    for name, numbered in ((RUNTIME, found.runtime), ("conmon", found.keeper)):
        components.append({"Name": name, "Version": numbered, "Details": {}})
    return {"Platform": {"Name": "zonehost"}, "Components": components, "Version": found.version, **engine}


def info(found: HostInfo, spoken: Version) -> dict[str, Any]:
    """`GET /info`."""
    facts, settings = found.facts, found.settings
    older_cgroups = facts.cgroup_version == 1
    return {
        "ID": settings.id,
        "Name": facts.hostname,
        "ServerVersion": found.version,
        "Containers": found.containers,
        "ContainersRunning": found.running,
        "ContainersPaused": found.paused,
        "ContainersStopped": found.containers - found.running - found.paused,
        "Images": found.images,
        "Driver": found.storage_driver,
        "DriverStatus": [["Instance", settings.name]],
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "macvlan", "null"],
            "Authorization": None,
            "Log": sorted(set(DRIVERS) - {"none"}),
        },
        **dict.fromkeys(("MemoryLimit", "SwapLimit", "CpuCfsPeriod", "CpuCfsQuota", "CPUShares", "CPUSet"), True),
        "PidsLimit": True,
        "OomKillDisable": older_cgroups,
        "KernelMemoryTCP": False,
        "IPv4Forwarding": found.state.ipv4_forwarding,
        "Debug": settings.debug,
        "NFd": found.state.open_files,
        "NGoroutines": found.state.threads,
        "NEventsListener": found.listeners,
        "SystemTime": rfc3339(found.time),
        "LoggingDriver": found.log_driver,
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": str(facts.cgroup_version),
        "KernelVersion": facts.kernel,
        "OperatingSystem": facts.os_name,
        "OSVersion": facts.os_version,
        "OSType": "linux",
        "Architecture": facts.architecture,
        "NCPU": facts.cpus,
        "MemTotal": facts.memory,
        "DockerRootDir": settings.data_root,
        "IndexServerAddress": _INDEX,
        "RegistryConfig": _registries(settings.insecure_registries, settings.registry_mirrors),
        "GenericResources": None,
        "HttpProxy": masked(settings.proxies.http),
        "HttpsProxy": masked(settings.proxies.https),
        "NoProxy": settings.proxies.direct,
        "Labels": list(settings.labels),
        "ExperimentalBuild": False,
        "Runtimes": {RUNTIME: {"path": RUNTIME}},
        "DefaultRuntime": RUNTIME,
        "Swarm": _NO_SWARM,
        "LiveRestoreEnabled": True,
        "Isolation": "",
        "InitBinary": "docker-init",
        **({"FirewallBackend": {"Driver": "nftables"}} if spoken >= (1, 49) else {}),
        "ContainerdCommit": _commit("", spoken),
        "RuncCommit": _commit(facts.runtime_version, spoken),
        "InitCommit": _commit("", spoken),
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=userns", "name=cgroupns"],
        "Warnings": None,
        **({"BridgeNfIptables": False, "BridgeNfIp6tables": False} if spoken < (1, 50) else {}),
    }


def _commit(version_id: str, spoken: Version) -> dict[str, str]:
    return {"ID": version_id} if spoken >= (1, 49) else {"ID": version_id, "Expected": version_id}


def disk_usage(used: DiskUsage, types: frozenset[str], spoken: Version) -> dict[str, Any]:
    """`GET /system/df`; null for what was not asked for."""
    return {
        "LayersSize": used.layers_size,
        "Images": [summary(one, spoken) for one in used.images] if "image" in types else None,
        "Containers": [entry(one, spoken) for one in used.containers] if "container" in types else None,
        "Volumes": [_volume(one) for one in used.volumes] if "volume" in types else None,
        "BuildCache": [] if "build-cache" in types else None,
    }


def _volume(one: VolumeUsage) -> dict[str, Any]:
    shown = volumes.detail(VolumeDetail(one.volume, one.mountpoint))
    return {**shown, "UsageData": {"Size": one.size, "RefCount": one.references}}


def _registries(insecure: tuple[str, ...], mirrors: tuple[str, ...]) -> dict[str, Any]:
    networks = [*_LOOPBACK, *(name for name in insecure if "/" in name)]
    hosts = {name: _index(name, (), secure=False) for name in insecure if "/" not in name}
    return {
        "InsecureRegistryCIDRs": networks,
        "IndexConfigs": {"docker.io": _index("docker.io", mirrors, secure=True), **hosts},
        "Mirrors": list(mirrors),
    }


def _index(name: str, mirrors: tuple[str, ...], *, secure: bool) -> dict[str, Any]:
    return {"Name": name, "Mirrors": list(mirrors), "Secure": secure, "Official": name == "docker.io"}
