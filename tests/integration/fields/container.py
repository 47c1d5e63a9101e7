"""What becomes of the fields of `POST /containers/create`, but for its HostConfig."""

from __future__ import annotations

from typing import Final

from tests.integration.fields.verdicts import Answered, Kept, Obeyed, Verdicts

_RESTART: Final = "tests/integration/sessions/restart.session"
_HEALTH: Final = f"{_RESTART}: --health-cmd 'test -e /tmp/ok' --health-interval 200ms --health-retries 1"
_HEALTH_TIMES: Final = "tests/unit/engine/test_health.py: "
_STREAMS: Final = "tests/integration/sessions/streams.session"
_CHECK: Final = {"Test": ["CMD", "true"]}

CONFIG: Final[Verdicts] = {
    "Hostname": Obeyed(value="box", command="hostname", prints="box"),
    "Domainname": Obeyed(value="example.org", command="cat /proc/sys/kernel/domainname", prints="example.org"),
    "User": Obeyed(value="1234:77", command="id -u; id -g", prints="1234\n77"),
    "AttachStdin": Kept(value=True, why="what `docker start` of this container shall attach"),
    "AttachStdout": Kept(value=True, why="as AttachStdin"),
    "AttachStderr": Kept(value=True, why="as AttachStdin"),
    "ExposedPorts": Obeyed(value={"5353/udp": {}}, elsewhere="tests/integration/sessions/links.session: --expose 8080"),
    "Tty": Obeyed(value=True, command="test -t 1 && echo terminal", prints="terminal"),
    "OpenStdin": Obeyed(value=True, elsewhere=f"{_STREAMS}: docker run --rm -i busybox tac"),
    "StdinOnce": Obeyed(
        value=True, beside={"OpenStdin": True}, elsewhere=f"{_STREAMS}: docker run --rm -i busybox tac"
    ),
    "Env": Obeyed(value=["A=b c"], command='echo "$A"', prints="b c"),
    "Cmd": Obeyed(value=["echo", "told"], command="(in its place)", prints="told"),
    "Entrypoint": Obeyed(value=["echo", "told"], command="true", prints="told sh -c true"),
    "Healthcheck.Test": Obeyed(value=["CMD-SHELL", "test -e /ok"], elsewhere=_HEALTH),
    "Healthcheck.Interval": Obeyed(value=10**9, beside={"Healthcheck": _CHECK}, elsewhere=_HEALTH),
    "Healthcheck.Timeout": Obeyed(
        value=10**9, beside={"Healthcheck": _CHECK}, elsewhere=f"{_HEALTH_TIMES}Health check exceeded timeout"
    ),
    "Healthcheck.Retries": Obeyed(value=7, beside={"Healthcheck": _CHECK}, elsewhere=_HEALTH),
    "Healthcheck.StartPeriod": Obeyed(
        value=10**9, beside={"Healthcheck": _CHECK}, elsewhere=f"{_HEALTH_TIMES}def test_a_start_period_forgives"
    ),
    "Healthcheck.StartInterval": Obeyed(
        value=10**9,
        beside={"Healthcheck": _CHECK},
        elsewhere=f"{_HEALTH_TIMES}def test_in_the_start_period_checks_have_an_interval_of_their_own",
    ),
    "ArgsEscaped": Kept(value=True, why="how a command line of Windows is written"),
    "Image": Obeyed(value="busybox", command="busybox | head -c 7", prints="BusyBox"),
    "Volumes": Obeyed(value={"/place": {}}, command="grep -c ' /place ' /proc/mounts", prints="1"),
    "WorkingDir": Obeyed(value="/usr", command="pwd", prints="/usr"),
    "NetworkDisabled": Obeyed(value=True, command="ls /sys/class/net", prints="lo"),
    "MacAddress": Obeyed(
        value="02:42:ac:11:00:99", command="cat /sys/class/net/eth0/address", prints="02:42:ac:11:00:99"
    ),
    "OnBuild": Kept(value=["RUN true"], why="for builds on an image that is made of the container"),
    "Labels": Kept(value={"a": "b"}, why="for filters and for clients"),
    "StopSignal": Obeyed(value="SIGUSR1", elsewhere="tests/integration/sessions/lifecycle.session: --stop-signal USR1"),
    "StopTimeout": Obeyed(value=7, elsewhere="tests/integration/sessions/lifecycle.session: --stop-timeout 1"),
    "Shell": Obeyed(value=["/bin/sh", "-c"], elsewhere=f"{_HEALTH_TIMES}def test_a_check_through_a_shell_of_its_own"),
}

NET: Final = "net-of-fields"
"""A network of the test, with the subnets 10.77.66.0/24 and fd00:77:66::/64."""
_ONNET: Final = {"HostConfig": {"NetworkMode": NET}}
_ENDPOINT: Final = "NetworkingConfig.EndpointsConfig{}."
_NAMES: Final = "tests/integration/network/test_names.py: "


def _endpoint(elsewhere: str = "", command: str = "", prints: str = "", **settings: object) -> Obeyed:
    return Obeyed(value={NET: settings}, command=command, prints=prints, elsewhere=elsewhere, beside=_ONNET)


_SHOW_ADDRESSES: Final = "ip -o addr show eth0 | grep -oE 'inet6? (10.77|fd00|169.254)[^ ]*'"

ENDPOINTS: Final[Verdicts] = {
    f"{_ENDPOINT}IPAMConfig.IPv4Address": _endpoint(
        command=_SHOW_ADDRESSES, prints="inet 10.77.66.99/24\ninet6 fd00.*", IPAMConfig={"IPv4Address": "10.77.66.99"}
    ),
    f"{_ENDPOINT}IPAMConfig.IPv6Address": _endpoint(
        command=_SHOW_ADDRESSES,
        prints="inet 10.77.66.*\ninet6 fd00:77:66::99/64",
        IPAMConfig={"IPv6Address": "fd00:77:66::99"},
    ),
    f"{_ENDPOINT}IPAMConfig.LinkLocalIPs": _endpoint(
        command=f"{_SHOW_ADDRESSES} | grep 169.254",
        prints="inet 169.254.7.8/16",
        IPAMConfig={"LinkLocalIPs": ["169.254.7.8"]},
    ),
    f"{_ENDPOINT}Links": _endpoint(f"{_NAMES}def test_links_are_private_names", Links=["other:alias"]),
    f"{_ENDPOINT}MacAddress": _endpoint(
        command="cat /sys/class/net/eth0/address", prints="02:42:0a:4d:42:99", MacAddress="02:42:0a:4d:42:99"
    ),
    f"{_ENDPOINT}Aliases": _endpoint(command="nslookup me.here | grep -c Name", prints="[12]", Aliases=["me.here"]),
    f"{_ENDPOINT}DriverOpts": _endpoint(
        command="ls /sys/class/net",
        prints="lo\nup7",
        DriverOpts={"com.docker.network.endpoint.ifname": "up7"},
    ),
    f"{_ENDPOINT}GwPriority": _endpoint(
        "tests/integration/network/test_configuration.py: def test_the_default_route_goes_by_priority", GwPriority=5
    ),
    **{
        f"{_ENDPOINT}{name}": Answered({NET: {name: value}})
        for name, value in {
            "NetworkID": "f" * 64,
            "EndpointID": "e" * 64,
            "Gateway": "10.9.9.1",
            "IPAddress": "10.9.9.9",
            "IPPrefixLen": 9,
            "IPv6Gateway": "fd99::1",
            "GlobalIPv6Address": "fd99::9",
            "GlobalIPv6PrefixLen": 99,
            "DNSNames": ["nobody"],
        }.items()
    },
}
