"""What becomes of the fields of execs, volumes and networks."""

from __future__ import annotations

from typing import Any, Final

from tests.integration.fields.verdicts import NOTHING, Answered, Obeyed, Refused, Verdicts

_EXEC: Final = "tests/integration/sessions/exec.session"
_TERMINAL: Final = "tests/integration/test_terminal.py"

EXECS: Final[Verdicts] = {
    "AttachStdin": Obeyed(value=True, elsewhere=f"{_EXEC}: echo input | docker exec -i host cat"),
    "AttachStdout": Obeyed(value=False, command="echo told; echo wrong >&2", prints="wrong"),
    "AttachStderr": Obeyed(value=False, command="echo told; echo wrong >&2", prints="told"),
    "ConsoleSize": Obeyed(value=[33, 77], beside={"Tty": True}, command="stty size", prints="33 77", shown=NOTHING),
    "DetachKeys": Obeyed(value="ctrl-a", elsewhere=f"{_TERMINAL}: detach", shown=NOTHING),
    "Tty": Obeyed(value=True, command="test -t 1 && echo terminal", prints="terminal"),
    "Env": Obeyed(value=["A=b c"], command='echo "$A"', prints="b c", shown=NOTHING),
    "Cmd": Obeyed(value=["echo", "told"], command="(in its place)", prints="told", shown=NOTHING),
    "Privileged": Obeyed(value=True, command="grep CapEff /proc/self/status", prints="CapEff:\t000001ffffffffff"),
    "User": Obeyed(value="1234:77", command="id -u; id -g", prints="1234\n77"),
    "WorkingDir": Obeyed(value="/usr", command="pwd", prints="/usr", shown=NOTHING),
}

EXEC_STARTS: Final[Verdicts] = {
    "Detach": Obeyed(value=True, elsewhere=f"{_EXEC}: docker exec --detach host", shown=NOTHING),
    "Tty": Obeyed(value=True, elsewhere=f"{_EXEC}: docker exec -t host tty", shown=NOTHING),
    "ConsoleSize": Obeyed(value=[33, 77], elsewhere=f"{_TERMINAL}: stty size", shown=NOTHING),
}

VOLUMES: Final[Verdicts] = {
    "Name": Obeyed(value="field", elsewhere="tests/integration/sessions/mounts.session: -v data:/keep"),
    "Driver": Refused(value="nosuch", status=404, says='plugin "nosuch" not found'),
    "DriverOpts": Obeyed(value={"size": "64m"}, elsewhere="tests/integration/test_df.py: size=", shown={"size": "64m"}),
    "Labels": Obeyed(
        value={"a": "b"}, elsewhere="tests/integration/sessions/mounts.session: volume ls -q --filter label=k"
    ),
}


def _pool(command: str = "", prints: str = "", **pool: Any) -> Obeyed:
    return Obeyed(value=[{"Subnet": "10.77.67.0/24", **pool}], command=command, prints=prints)


_ADDRESS: Final = "ip -o -4 addr show eth0 | grep -o 'inet [0-9./]*'"

NETWORKS: Final[Verdicts] = {
    "Name": Obeyed(value="field", elsewhere="tests/integration/sessions/networks.session: --network app"),
    "Driver": Refused(value="nosuch", status=404, says='plugin "nosuch" not found'),
    "Scope": Refused(value="swarm", status=501, says="scope swarm"),
    "Internal": Obeyed(value=True, command="ip route | grep -c default", prints="0"),
    "Attachable": Obeyed(value=True, elsewhere="tests/integration/sessions/networks.session: --network app"),
    "Ingress": Refused(value=True, status=501, says="ingress"),
    "ConfigOnly": Refused(value=True, status=501, says="config-only"),
    "ConfigFrom.Network": Refused(value="other", status=501, says="config-from"),
    "IPAM.Driver": Refused(value="nosuch", status=501, says="IPAM driver nosuch"),
    "IPAM.Config[].Subnet": _pool(_ADDRESS, "inet 10.77.67.2/24"),
    "IPAM.Config[].IPRange": _pool(_ADDRESS, "inet 10.77.67.129/24", IPRange="10.77.67.128/25"),
    "IPAM.Config[].Gateway": _pool(
        "ip route | grep default", "default via 10.77.67.9 dev eth0 *", Gateway="10.77.67.9"
    ),
    "IPAM.Config[].AuxiliaryAddresses": _pool(
        _ADDRESS, "inet 10.77.67.3/24", AuxiliaryAddresses={"printer": "10.77.67.2"}
    ),
    "IPAM.Options": Refused(value={"nosuch": "1"}, status=501, says="IPAM option nosuch"),
    "EnableIPv4": Obeyed(
        value=False,
        beside={"EnableIPv6": True},
        command=f"{_ADDRESS}; ip -o -6 addr show eth0 scope global | wc -l",
        prints="1",
    ),
    "EnableIPv6": Obeyed(value=True, command="ip -o -6 addr show eth0 scope global | wc -l", prints="1"),
    "Options": Obeyed(
        value={"com.docker.network.driver.mtu": "1234"}, command="cat /sys/class/net/eth0/mtu", prints="1234"
    ),
    "Labels": Obeyed(value={"a": "b"}, elsewhere="tests/integration/sessions/networks.session: --label a=b app"),
}

_LIVE: Final = "tests/integration/network/test_live.py: def test_a_running_container_joins_as_it_is_asked_to"
_CONNECT: Final = "tests/integration/network/test_connect.py: "


def _joined(elsewhere: str = _LIVE, **settings: Any) -> Obeyed:
    (value,) = settings.values()
    return Obeyed(value=value, elsewhere=elsewhere)


CONNECTS: Final[Verdicts] = {
    "Container": Obeyed(value="other-of-fields", elsewhere=_LIVE, shown=NOTHING),
    "EndpointConfig.IPAMConfig.IPv4Address": _joined(value="10.77.66.99"),
    "EndpointConfig.IPAMConfig.IPv6Address": _joined(value="fd00:77:66::99"),
    "EndpointConfig.IPAMConfig.LinkLocalIPs": _joined(value=["169.254.7.8"]),
    "EndpointConfig.Links": _joined(
        "tests/integration/network/test_names.py: def test_links_are_private_names", value=["a:b"]
    ),
    "EndpointConfig.MacAddress": _joined(f"{_CONNECT}def test_mtu_and_mac_can_be_asked_for", value="02:42:0a:4d:42:99"),
    "EndpointConfig.Aliases": _joined(value=["me"]),
    "EndpointConfig.DriverOpts": _joined(value={"com.docker.network.endpoint.ifname": "up7"}),
    "EndpointConfig.GwPriority": _joined(f"{_CONNECT}def test_the_default_route_follows_priority_and_name", value=5),
    "EndpointConfig.NetworkID": Answered("f" * 64),
    "EndpointConfig.EndpointID": Answered("e" * 64),
    "EndpointConfig.Gateway": Answered("10.9.9.1"),
    "EndpointConfig.IPAddress": Answered("10.9.9.9"),
    "EndpointConfig.IPPrefixLen": Answered(9),
    "EndpointConfig.IPv6Gateway": Answered("fd99::1"),
    "EndpointConfig.GlobalIPv6Address": Answered("fd99::9"),
    "EndpointConfig.GlobalIPv6PrefixLen": Answered(99),
    "EndpointConfig.DNSNames": Answered(["nobody"]),
}

DISCONNECTS: Final[Verdicts] = {
    "Container": Obeyed(
        value="other-of-fields", elsewhere=f"{_CONNECT}def test_a_zone_joins_and_leaves", shown=NOTHING
    ),
    "Force": Obeyed(
        value=True,
        elsewhere="tests/integration/sessions/networks.session: docker network disconnect --force",
        shown=NOTHING,
    ),
}
