"""Whether a container can be as it is asked for: all the domain's checks, and what they need of this machine."""

from __future__ import annotations

from zonehost.domain.config import Config
from zonehost.domain.config_check import check_config
from zonehost.domain.host_config import HostConfig
from zonehost.domain.host_config_check import check_host_config
from zonehost.domain.log_config import check_log_config
from zonehost.domain.modes import check_modes, network_name
from zonehost.domain.port_spec import checked_bindings
from zonehost.domain.resource_check import Capacity, check_resources
from zonehost.domain.restart_policy import check_restart_policy
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter


def check_request(host: Host, config: Config, host_config: HostConfig) -> tuple[str, ...]:
    """Look through everything that can be judged without looking anything up; returns warnings.

    Raises:
        InvalidParameter, NotFound, Unsupported: a field cannot be obeyed; the message names it.
    """
    check_config(config)
    check_modes(config, host_config)
    check_host_config(host_config)
    check_resources(host_config, capacity(host))
    check_restart_policy(host_config)
    check_log_config(host_config.log_config)
    bindings = checked_bindings(host_config.port_bindings)
    network = network_name(host_config.network_mode)
    if network == "none" and bindings:
        raise InvalidParameter("conflicting options: port publishing and the none network mode")
    warnings = []
    if host_config.oom_kill_disable and not host_config.memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    if network == "host" and bindings:
        warnings.append("Published ports are discarded when using host network mode")
    elif network not in ("host", "none") and not host.machine.forwards_ipv4():
        warnings.append("IPv4 forwarding is disabled. Networking will not work.")
    return tuple(warnings)


def capacity(host: Host) -> Capacity:
    """What this machine has to give."""
    facts = host.machine.facts
    return Capacity(facts.cpus, facts.cpu_numbers, facts.memory_nodes)
