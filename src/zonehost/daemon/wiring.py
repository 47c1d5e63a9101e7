"""Which part stands behind which port: the only place that names concrete drivers."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path

from zonehost import __version__
from zonehost.builder.changes import apply_changes
from zonehost.daemon.building import add_builder
from zonehost.daemon.configuration import Configuration
from zonehost.daemon.instance import lasting_id
from zonehost.daemon.priority import take_priority
from zonehost.daemon.storage import choose_storage
from zonehost.domain.host_config import LogConfig
from zonehost.domain.ipam import DEFAULT_BASES
from zonehost.domain.platform import machine_platform
from zonehost.domain.proxies import Proxies
from zonehost.drivers.clock import SystemClock
from zonehost.drivers.downloads import HttpDownloads
from zonehost.drivers.files.driver import TreeFiles
from zonehost.drivers.layers.archives import LayerArchives
from zonehost.drivers.layers.pool import LayerPool
from zonehost.drivers.logs.files import LogFiles
from zonehost.drivers.machine import LinuxMachine
from zonehost.drivers.network.audit import KernelNetworkAudit
from zonehost.drivers.network.driver import KernelNetworking
from zonehost.drivers.network.driver import Settings as LinkSettings
from zonehost.drivers.registry.client import RegistryClient
from zonehost.drivers.registry.endpoints import RegistryPolicy
from zonehost.drivers.runtime.audit import KernelZoneAudit
from zonehost.drivers.runtime.driver import EXEC_PRELOAD, PRELOAD, ZoneRuntime
from zonehost.drivers.supervisor.supervising import Supervisor
from zonehost.engine.host import Host
from zonehost.engine.settings import Settings
from zonehost.linux.cgroup import discover
from zonehost.linux.forkserver import ForkServer
from zonehost.store.sqlite import SqliteRecords
from zonehost.web import WebClient


async def assemble(configuration: Configuration, undo: AsyncExitStack) -> Host:
    """A host with all its parts; `undo` lets go of them, and leaves zones alone.

    Raises:
        SystemFailure, Unavailable: a part cannot be had.
    """
    data_root = Path(configuration.data_root)
    chosen = choose_storage(configuration, data_root)
    haste = take_priority()
    # Early, so that its start overlaps all that follows.
    forks = ForkServer(PRELOAD, nicer=haste)
    forks.start()
    undo.push_async_callback(forks.close)
    execs = ForkServer(EXEC_PRELOAD, nicer=haste)
    undo.push_async_callback(execs.close)
    machine = LinuxMachine()
    records = SqliteRecords(data_root / "state.db")
    undo.push_async_callback(records.close)
    layers = LayerPool(os.fspath(chosen.root / "layers"), forks)
    proxies = Proxies.from_environment(os.environ)
    web = WebClient(f"zonehost/{__version__}", proxies)
    registries = RegistryClient(
        RegistryPolicy(configuration.insecure_registry, configuration.registry_mirror),
        machine_platform(machine.facts.architecture),
        os.fspath(data_root / "known-blobs"),
        web,
    )
    undo.push_async_callback(registries.close)
    supervisor = None
    if chosen.pool is not None:
        supervisor = Supervisor(Path(configuration.run_root) / "statfs.sock", chosen.pool.descriptor)
        undo.push_async_callback(supervisor.close)
    runtime = ZoneRuntime(forks, execs, discover(), configuration.name, configuration.run_root, supervisor=supervisor)
    undo.push_async_callback(runtime.close)
    links = _links(configuration)
    networking = KernelNetworking(configuration.name, Path(configuration.run_root), links)
    undo.push_async_callback(networking.close)
    logs = LogFiles()
    undo.push_async_callback(logs.close)
    host = Host(
        settings=_settings(configuration, lasting_id(data_root), proxies),
        clock=SystemClock(),
        machine=machine,
        records=records,
        storage=chosen.storage,
        pool=chosen.admin,
        snapshotter=chosen.snapshots(forks),
        layers=layers,
        archives=LayerArchives(layers, forks),
        files=TreeFiles(forks),
        runtime=runtime,
        networking=networking,
        logs=logs,
        registries=registries,
        downloads=HttpDownloads(web),
        zone_audit=KernelZoneAudit(discover(), configuration.name, configuration.run_root, supervisor),
        network_audit=KernelNetworkAudit(configuration.name, links),
        apply_changes=apply_changes,
    )
    undo.push_async_callback(host.close)
    add_builder(host, forks, chosen.root, Path(configuration.run_root), configuration.fresh, web)
    return host


def _links(configuration: Configuration) -> LinkSettings:
    bases = configuration.address_bases
    return LinkSettings(
        bases=tuple(base for base in bases if base.block.version == 4) or DEFAULT_BASES,
        bases6=tuple(base for base in bases if base.block.version == 6),
        publish="127.0.0.1" if configuration.publish == "loopback" else "",
        metadata=configuration.allow_metadata,
    )


def _settings(configuration: Configuration, host_id: str, proxies: Proxies) -> Settings:
    return Settings(
        name=configuration.name,
        id=host_id,
        data_root=configuration.data_root,
        labels=configuration.label,
        log=LogConfig(type=configuration.log_driver, config=dict(configuration.log_opt)),
        ulimits=configuration.ulimits,
        init=configuration.init,
        shm_size=configuration.default_shm_size,
        storage_opt=configuration.storage_opt,
        stop_timeout=configuration.stop_timeout,
        insecure_registries=configuration.insecure_registry,
        registry_mirrors=configuration.registry_mirror,
        proxies=proxies,
        debug=configuration.debug,
    )
