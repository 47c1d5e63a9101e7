"""What a container is when it has been made, and what is left when it could not be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.host import World
from tests.unit.engine.steps import make, quiet, record_of, run
from zonehost.domain.config import Config
from zonehost.domain.endpoint_settings import EndpointSettings, IpamSettings
from zonehost.domain.host_config import HostConfig, Mount, PortBinding
from zonehost.domain.identity import short
from zonehost.domain.security import DEFAULT_CAPABILITIES
from zonehost.engine.container.create import CreateRequest, create
from zonehost.engine.container.links import linked_names
from zonehost.engine.container.remove import remove
from zonehost.engine.container.rename import rename
from zonehost.engine.container.start import start
from zonehost.engine.image.remove import remove as remove_image
from zonehost.engine.network.create import NetworkRequest
from zonehost.engine.network.create import create as create_network
from zonehost.engine.volume.create import VolumeRequest
from zonehost.engine.volume.create import create as create_volume
from zonehost.engine.volume.remove import remove as remove_volume
from zonehost.errors import Conflict, InvalidParameter, NotFound, SystemFailure, Unsupported
from zonehost.ports.records import Change


async def test_inspect_will_show_the_defaults_that_are_obeyed(world: World) -> None:
    record = await make(world, memory=64 << 20)
    host = record.host_config
    assert (host.memory_swap, host.shm_size, host.network_mode) == (128 << 20, 64 << 20, "bridge")
    assert (host.ipc_mode, host.cgroupns_mode, host.runtime) == ("private", "private", "crun")
    assert (host.restart_policy.name, host.log_config.type, host.oom_kill_disable) == ("no", "json-file", False)
    assert host.masked_paths and "/proc/kcore" in host.masked_paths
    assert record.config.hostname == short(record.id)
    assert (record.path, record.args, record.config.env) == ("sleep", (), ("PATH=/bin",))
    assert list(record.endpoints) == ["bridge"]


async def test_what_the_machine_does_not_forward_is_told_and_asked_for_alone(world: World) -> None:
    request = CreateRequest(config=Config(image="tool"), host_config=HostConfig())
    assert (await create(world.host, request)).warnings == ()
    world.machine.forwards = False
    assert (await create(world.host, request)).warnings == ("IPv4 forwarding is disabled. Networking will not work.",)
    assert world.machine.states == 0  # which takes the longer, the more zones there are


async def test_privileged_opens_what_it_opens_in_docker(world: World) -> None:
    record = await make(world, privileged=True)
    assert record.host_config.masked_paths is None
    await start(world.host, record.id)
    blueprint = world.runtime.zones[record.id].blueprint
    assert blueprint.namespaces.user == "host"
    assert blueprint.seccomp is None
    assert "CAP_SYS_ADMIN" in blueprint.process.capabilities


async def test_the_hosts_network_takes_the_hosts_ids_and_no_capability_more(world: World) -> None:
    zone = await run(world, "sleep", network_mode="host")
    blueprint = world.runtime.zones[zone].blueprint
    assert (blueprint.namespaces.net, blueprint.namespaces.user) == ("host", "host")
    assert set(blueprint.process.capabilities) == set(DEFAULT_CAPABILITIES)


async def test_limits_of_root_and_volumes_shall_be_shown_inside(world: World) -> None:
    await create_volume(world.host, VolumeRequest(name="bound", options={"size": "1G"}))
    await create_volume(world.host, VolumeRequest(name="theirs", options={"delegated": "true"}))
    await create_volume(world.host, VolumeRequest(name="ours", options={"delegated": "false"}))
    asked: tuple[tuple[dict[str, Any], bool], ...] = (
        ({}, False),
        ({"storage_opt": {"size": "1G"}}, True),
        ({"binds": ("bound:/data",)}, True),
        ({"binds": ("free:/data",)}, False),
        ({"binds": ("theirs:/data",)}, True),
        ({"binds": ("ours:/data",)}, False),
    )
    for wanted, shown in asked:
        zone = await run(world, "sleep", **wanted)
        assert world.runtime.zones[zone].blueprint.has_quota is shown


async def test_other_containers_are_tied_by_id(world: World) -> None:
    other = await run(world, "sleep", name="other", ipc_mode="shareable")
    modes = {"network_mode": "container:other", "pid_mode": "container:other", "ipc_mode": "container:other"}
    tied = await run(world, "sleep", **modes)
    host = record_of(world, tied).host_config
    assert {host.network_mode, host.pid_mode, host.ipc_mode} == {f"container:{other}"}
    blueprint = world.runtime.zones[tied].blueprint
    assert (blueprint.namespaces.net, blueprint.namespaces.pid) == (other, other)
    assert any(bind.source == f"/pool/zones/{other}/etc/hosts" for bind in blueprint.binds)


async def test_a_shared_network_can_be_shared_on(world: World) -> None:
    owner = await run(world, "sleep", name="owner")
    guest = await run(world, "sleep", name="guest", network_mode="container:owner")
    third = await run(world, "sleep", network_mode="container:guest")
    blueprint = world.runtime.zones[third].blueprint
    assert blueprint.namespaces.net == guest
    assert any(bind.source == f"/pool/zones/{owner}/etc/hosts" for bind in blueprint.binds)
    await remove(world.host, owner, force=True)
    assert world.host.containers.network_owner(record_of(world, third)).id == guest


async def test_containers_that_share_each_others_network_have_none(world: World) -> None:
    await make(world, "sleep", name="one", network_mode="container:two")
    await make(world, "sleep", name="two", network_mode="container:one")
    with pytest.raises(Conflict, match="cannot join network namespace of a non running container"):
        await start(world.host, "one")
    with pytest.raises(Conflict, match="cannot join network namespace of a non running container"):
        await start(world.host, "two")
    user = await make(world, "sleep", network_mode="bridge", links=("one:db",))
    with pytest.raises(InvalidParameter, match="Cannot link to a non running container"):
        await start(world.host, user.id)


async def test_a_zone_that_does_not_run_cannot_be_joined(world: World) -> None:
    await make(world, "sleep", name="other")
    tied = await make(world, "sleep", network_mode="container:other")
    why = "cannot join network namespace of a non running container: container other is created"
    with pytest.raises(Conflict, match=why):
        await start(world.host, tied.id)


async def test_a_zone_cannot_join_itself(world: World) -> None:
    await make(world, "sleep", name="me", network_mode="container:me")
    with pytest.raises(InvalidParameter, match="cannot join own network namespace"):
        await start(world.host, "me")


async def test_a_link_is_a_name(world: World) -> None:
    db = await run(world, "sleep", name="db")
    await run(world, "sleep", name="web", links=("db:store",))
    assert world.host.containers.find("/web/store").id == db
    await rename(world.host, "web", "shop")
    assert world.host.containers.find("shop/store").id == db
    for none in ("web/store", "shop/db", "shop/"):
        with pytest.raises(NotFound):
            world.host.containers.find(none)


async def test_a_link_leads_to_the_network_that_the_other_shares(world: World) -> None:
    owner = await run(world, "sleep", name="owner")
    guest = await run(world, "sleep", name="guest", network_mode=f"container:{owner}")
    user = await run(world, "sleep", network_mode="bridge", links=("guest:db",))
    address = record_of(world, owner).endpoints["bridge"].ipv4
    assert (" ".join(("db", record_of(world, guest).config.hostname, "guest")), address) in linked_names(
        world.host, record_of(world, user)
    )


async def test_places_that_lxcfs_covers_can_be_covered(world: World) -> None:
    record = await make(world, "sleep", binds=("/lxcfs/meminfo:/proc/meminfo", "/x:/process"))
    assert [point.destination for point in record.mounts] == ["/proc/meminfo", "/process"]


@pytest.mark.parametrize("option", ["shared", "rslave", "unbindable"])
async def test_a_tmpfs_is_private(world: World, option: str) -> None:
    await make(world, "sleep", tmpfs={"/x": "rprivate,size=1m"})
    with pytest.raises(Unsupported, match=f"tmpfs /x: option {option} is not supported"):
        await make(world, "sleep", tmpfs={"/x": f"size=1m,{option}"})


@pytest.mark.parametrize(("mode", "what"), [("pid_mode", "PID"), ("ipc_mode", "IPC")])
async def test_whose_namespace_is_shared_must_be_there_and_run(world: World, mode: str, what: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^No such container: nobody$"):
        await make(world, "sleep", **{mode: "container:nobody"})
    other = await make(world, "sleep", name="other")
    tied = await make(world, "sleep", **{mode: "container:other"})
    with pytest.raises(SystemFailure, match=f"^failed to join {what} namespace: container {other.id} is not running$"):
        await start(world.host, tied.id)


async def test_an_unknown_image_is_named_as_docker_names_it(world: World) -> None:
    with pytest.raises(NotFound, match="No such image: nothing:latest"):
        await make(world, config={"image": "nothing"})


async def test_an_image_of_another_platform_is_not_taken(world: World) -> None:
    request = CreateRequest(config=Config(image="tool"), host_config=HostConfig(), platform="linux/arm64")
    with pytest.raises(NotFound, match=r"platform \(linux/amd64\) does not match the specified platform"):
        await create(world.host, request)


async def test_an_image_with_a_port_that_cannot_be_is_not_taken(world: World) -> None:
    await world.add_image("odd", Config(cmd=("sleep",), exposed_ports={"http/tcp": {}}))
    with pytest.raises(InvalidParameter, match='invalid port specification: "http/tcp"'):
        await make(world, config={"image": "odd"})
    assert not list(world.host.containers.records())


async def test_volumes_of_the_image_are_made_where_nothing_else_is(world: World) -> None:
    await world.add_image("store", Config(cmd=("sleep",), volumes={"data": {}, "/log": {}}))
    record = await make(world, "sleep", config={"image": "store"}, binds=("/srv:/log",))
    anonymous = [point for point in record.mounts if point.anonymous]
    assert [point.destination for point in anonymous] == ["/data"]
    assert anonymous[0].name in world.storage.volumes
    assert anonymous[0].source == world.storage.volume_path(anonymous[0].name)
    await remove(world.host, record.id, volumes=True)
    await quiet()
    assert not world.storage.volumes
    assert {kind for kind, _ in world.records.kept} == {"image", "tag", "network"}


async def test_anonymous_volumes_are_labelled_as_such(world: World) -> None:
    record = await make(
        world, mounts=(Mount(type="volume", target="/a"), Mount(type="volume", source="bb", target="/b"))
    )
    labels = {point.destination: world.host.volumes.find(point.name).labels for point in record.mounts}
    assert labels == {"/a": {"com.docker.volume.anonymous": ""}, "/b": None}
    made = await create_volume(world.host, VolumeRequest(labels={"x": "y"}))
    assert made.volume.labels == {"x": "y", "com.docker.volume.anonymous": ""}


async def test_read_only_goes_to_the_leaves_unless_an_older_client_asks(world: World) -> None:
    for deep in (True, False):
        request = CreateRequest(
            config=Config(image="tool"), host_config=HostConfig(binds=("/etc:/e:ro",)), recursive_readonly=deep
        )
        (point,) = (await create(world.host, request)).container.mounts
        assert (point.writable, point.recursive_readonly) == (False, deep)


async def test_a_working_directory_is_made_plain(world: World) -> None:
    for asked, shown in (("/tmp/", "/tmp"), ("//a/./b/../c", "/a/c"), ("", "")):
        assert (await make(world, config={"working_dir": asked})).config.working_dir == shown


async def test_named_volumes_stay(world: World) -> None:
    record = await make(world, "sleep", binds=("data:/data",))
    await remove(world.host, record.id, volumes=True)
    assert "data" in world.storage.volumes


async def test_an_anonymous_volume_that_another_container_has_stays(world: World) -> None:
    first = await make(world, "sleep", name="first", binds=("/data",))
    second = await make(world, "sleep", volumes_from=("first:ro",))
    assert [(point.name, point.writable) for point in second.mounts] == [(first.mounts[0].name, False)]
    await remove(world.host, first.id, volumes=True)
    assert first.mounts[0].name in world.storage.volumes
    await remove(world.host, second.id, volumes=True)
    assert not world.storage.volumes


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({"binds": ("/a:/x", "bb:/x")}, "Duplicate mount point: /x"),
        ({"binds": ("/a:/x",), "tmpfs": {"/x/": ""}}, "Duplicate mount point: /x"),
        ({"binds": ("b?:/x",)}, "includes invalid characters for a local volume name"),
        ({"binds": ("b:/x",)}, "create b: volume name is too short"),
        ({"mounts": (Mount(type="volume", source="/etc", target="/x"),)}, '"/etc" includes invalid characters'),
        ({"binds": ("data:/proc//sys",)}, '"/proc/sys" cannot be mounted because it is inside /proc'),
        ({"tmpfs": {"/proc/x": ""}}, '"/proc/x" cannot be mounted because it is inside /proc'),
        ({"volumes_from": ("nobody",)}, "No such container: nobody"),
        (
            {"network_mode": "none", "port_bindings": {"80/tcp": (PortBinding(),)}},
            "port publishing and the none network",
        ),
    ],
)
async def test_what_cannot_be_leaves_nothing(world: World, host: dict[str, Any], words: str) -> None:
    kept = dict(world.records.kept)
    with pytest.raises(InvalidParameter) as refused:
        await make(world, "sleep", **host)
    assert words in str(refused.value)
    assert world.records.kept == kept
    assert not world.storage.zones


async def test_a_mount_of_a_missing_path_is_refused_and_a_bind_of_one_makes_it(world: World) -> None:
    world.machine.missing.update({"/gone", "/new"})
    with pytest.raises(InvalidParameter, match="bind source path does not exist: /gone"):
        await make(world, "sleep", mounts=(Mount(type="bind", source="/gone", target="/x"),))
    await run(world, "sleep", binds=("/new:/x",))
    assert "/new" not in world.machine.missing


async def test_a_disk_that_is_full_leaves_nothing(world: World) -> None:
    kept = dict(world.records.kept)

    async def full(zone: str, *, quota: int = 0) -> str:
        raise SystemFailure("no space left on device")

    world.storage.create_zone = full  # type: ignore[method-assign]
    with pytest.raises(SystemFailure, match="no space left"):
        await make(world, "sleep", name="big", binds=("data:/data",))
    await quiet()
    assert world.records.kept == kept
    assert not world.storage.volumes
    with pytest.raises(NotFound):
        world.host.containers.find("big")
    world.host.containers.check_name("big")


async def test_a_record_that_cannot_be_written_leaves_nothing(world: World) -> None:
    commit = world.records.commit

    async def full(*changes: Change) -> None:
        raise SystemFailure("the state cannot be written: disk full")

    world.records.commit = full  # type: ignore[method-assign]
    with pytest.raises(SystemFailure):
        await make(world, "sleep", name="big")
    world.records.commit = commit  # type: ignore[method-assign]
    assert (await make(world, "sleep", name="big")).name == "big"


async def test_what_is_being_used_cannot_be_removed_meanwhile(world: World) -> None:
    """The image and the volume are in use from the moment that they are looked up."""
    await create_volume(world.host, VolumeRequest(name="data"))
    held = asyncio.Event()
    create_zone = world.storage.create_zone

    async def slow(zone: str, *, quota: int = 0) -> str:
        await held.wait()
        return await create_zone(zone, quota=quota)

    world.storage.create_zone = slow  # type: ignore[method-assign]
    making = asyncio.create_task(make(world, "sleep", binds=("data:/data",)))
    await quiet()
    with pytest.raises(Conflict, match="volume is in use"):
        await remove_volume(world.host, "data")
    with pytest.raises(Conflict, match="is using its referenced image"):
        await remove_image(world.host, "tool", force=False, prune=True)
    held.set()
    await making


async def test_an_unknown_network_fails_at_the_start(world: World) -> None:
    record = await make(world, "sleep", network_mode="nowhere")
    with pytest.raises(NotFound, match="network nowhere not found"):
        await start(world.host, record.id)


async def test_addresses_and_aliases_are_for_networks_of_users(world: World) -> None:
    settings = EndpointSettings(ipam_config=IpamSettings(ipv4_address="10.9.1.7"), aliases=("db",))
    asked = CreateRequest(
        config=Config(image="tool"), host_config=HostConfig(network_mode="bridge"), endpoints={"bridge": settings}
    )
    with pytest.raises(InvalidParameter, match="supported on user defined networks only"):
        await create(world.host, asked)
    network = (await create_network(world.host, NetworkRequest(name="own"))).network
    base = network.pools[0].subnet.rpartition(".")[0]
    settings = EndpointSettings(ipam_config=IpamSettings(ipv4_address=f"{base}.77"), aliases=("db",))
    request = CreateRequest(
        name="one", config=Config(image="tool"), host_config=HostConfig(network_mode="own"), endpoints={"own": settings}
    )
    container = (await create(world.host, request)).container
    await start(world.host, container.id)
    plug = world.networking.zones[container.id].plugs[0]
    assert plug.endpoint.ipv4 == f"{base}.77"
    assert {"one", "db", container.short} <= set(plug.names)


@pytest.mark.parametrize(("address", "taken"), [("169.254.7.7", True), ("fe80::7", True), ("169.253.5.5", False)])
async def test_a_link_local_address_is_one(world: World, address: str, taken: bool) -> None:
    settings = {"bridge": EndpointSettings(ipam_config=IpamSettings(link_local_ips=(address,)))}
    request = CreateRequest(
        name="near", config=Config(image="tool", cmd=("sleep",)), host_config=HostConfig(), endpoints=settings
    )
    await create(world.host, request)
    if taken:
        await start(world.host, "near")
        return
    words = f"failed to set up container networking: invalid link local IP address: {address}"
    with pytest.raises(InvalidParameter, match=words):
        await start(world.host, "near")


async def test_ports_are_held_before_anything_starts(world: World) -> None:
    ports = {"80/tcp": (PortBinding(host_port="8080"),)}
    first = await run(world, "sleep", port_bindings=ports)
    assert record_of(world, first).state.ports[0].host_port == 8080
    second = await make(world, "sleep", port_bindings=ports)
    with pytest.raises(Conflict, match="port is already allocated"):
        await start(world.host, second.id)
    assert second.id not in world.runtime.zones
    await remove(world.host, first, force=True)
    await start(world.host, second.id)


async def test_every_exposed_port_is_published_on_request(world: World) -> None:
    container = await run(
        world, "sleep", config={"exposed_ports": {"80/tcp": {}, "53/udp": {}}}, publish_all_ports=True
    )
    assert {(port.port, port.protocol) for port in record_of(world, container).state.ports} == {
        (80, "tcp"),
        (53, "udp"),
    }


async def test_a_disabled_network_is_none(world: World) -> None:
    container = await run(world, "sleep", config={"network_disabled": True})
    assert record_of(world, container).endpoints == {}
    assert world.networking.zones[container].plugs == ()


async def test_a_network_that_came_second_keeps_no_subnet(world: World) -> None:
    requests = [create_network(world.host, NetworkRequest(name="same")) for _ in range(5)]
    ends = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(isinstance(end, Conflict) for end in ends) == 4
    made = [network for network in world.host.networks if network.name == "same"]
    other = (await create_network(world.host, NetworkRequest(name="other"))).network
    assert {int(network.pools[0].subnet.split(".")[1]) for network in (*made, other)} <= set(range(1, 4))
