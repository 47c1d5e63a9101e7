"""The files in /etc that a host writes for a container: which, where, and with what in them."""

from __future__ import annotations

from zonehost.domain.container import Container
from zonehost.domain.etc_files import hostname_file, hosts_file, resolver_file
from zonehost.domain.host_config_check import HOST_GATEWAY, parse_extra_host
from zonehost.domain.modes import network_name, other_container
from zonehost.engine.container.links import linked_names
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter

NAMES = ("resolv.conf", "hostname", "hosts")


def etc_paths(host: Host, record: Container) -> dict[str, str]:
    """Host path of each file, by name; those of the other container where the network is shared."""
    folder = f"{host.storage.zone_path(host.containers.network_owner(record).id)}/etc"
    return {name: f"{folder}/{name}" for name in NAMES}


def etc_contents(host: Host, record: Container) -> dict[str, str]:
    """What to write into the container's own files: none where it shares another's.

    Raises:
        NotFound, InvalidParameter: a linked container does not run, or is elsewhere.
    """
    wanted, config = record.host_config, record.config
    if other_container(wanted.network_mode):
        return {}
    shares_host = network_name(wanted.network_mode) == "host"
    return {
        "hostname": hostname_file(config.hostname),
        "resolv.conf": resolver_file(
            host.machine.resolver(),
            servers=wanted.dns,
            search=wanted.dns_search,
            options=wanted.dns_options,
            own_network=not shares_host,
            named=_knows_names(host, record),
        ),
        "hosts": _host_hosts(host, record) if shares_host else _hosts(host, record),
    }


async def rewrite_hosts(host: Host, record: Container) -> None:
    """Write what tells a running container of hosts anew: its addresses have changed, or it knows names now."""
    contents = etc_contents(host, record)
    names = ("hosts", "resolv.conf") if _knows_names(host, record) else ("hosts",)
    await host.storage.write_etc(record.id, {name: contents[name] for name in names})


def _knows_names(host: Host, record: Container) -> bool:
    """Whether it is in a network of a user, whose containers find each other by name."""
    networks = (host.networks.get(endpoint.network) for endpoint in record.endpoints.values())
    return any(network is not None and not network.predefined for network in networks)


def _hosts(host: Host, record: Container) -> str:
    addresses = [
        address for endpoint in record.endpoints.values() for address in (endpoint.ipv4, endpoint.ipv6) if address
    ]
    extra = [*_extra(host, record), *linked_names(host, record)]
    return hosts_file(addresses, record.config.hostname, record.config.domainname, extra)


def _host_hosts(host: Host, record: Container) -> str:
    return host.machine.hosts() + "".join(f"{address}\t{name}\n" for name, address in _extra(host, record))


def _extra(host: Host, record: Container) -> list[tuple[str, str]]:
    pairs = [parse_extra_host(text) for text in record.host_config.extra_hosts or ()]
    return [(name, host_gateway(host) if address == HOST_GATEWAY else address) for name, address in pairs]


def host_gateway(host: Host) -> str:
    """The address that `host-gateway` stands for. Raises InvalidParameter if there is none."""
    if host.settings.host_gateway:
        return host.settings.host_gateway
    bridge = host.networks.named("bridge")
    gateway = bridge.pools[0].gateway if bridge is not None and bridge.pools else ""
    if not gateway:
        raise InvalidParameter("unable to derive the IP value for host-gateway")
    return gateway
