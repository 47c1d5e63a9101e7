"""What becomes of the fields of a HostConfig in `POST /containers/create`: all that cannot be updated."""

from __future__ import annotations

from typing import Any, Final

from tests.integration.fields.verdicts import NOTHING, Kept, Obeyed, Refused, Verdicts

_SESSIONS: Final = "tests/integration/sessions/"
_FOLDER: Final = "/usr/share"
"""A folder of any host, with something in it."""
_SLAVE: Final = [{"Type": "bind", "Source": _FOLDER, "Target": "/there", "BindOptions": {"Propagation": "rslave"}}]


def _host(**fields: Any) -> dict[str, Any]:
    return {"HostConfig": fields}


def _mount(command: str = "", prints: str = "", elsewhere: str = "", **fields: Any) -> Obeyed:
    given = {"Type": "bind", "Source": _FOLDER, "Target": "/there", **fields}
    return Obeyed(value=[given], command=command, prints=prints, elsewhere=elsewhere)


def _volume(command: str, prints: str, **options: Any) -> Obeyed:
    return _mount(command, prints, Type="volume", Source="", Target="/etc", VolumeOptions=options)


def _tmpfs(command: str, prints: str, **options: Any) -> Obeyed:
    given = {"Type": "tmpfs", "Target": "/there", "TmpfsOptions": options}
    return Obeyed(value=[given], command=command, prints=prints)


_OPTIONS_OF: Final = "grep ' /there ' /proc/mounts | cut -d ' ' -f 4"

MOUNTS: Final[Verdicts] = {
    "HostConfig.Mounts[].Target": _mount("grep -c ' /there ' /proc/mounts", "1"),
    "HostConfig.Mounts[].Source": _mount("ls /there | grep -c .", "[1-9][0-9]*"),
    "HostConfig.Mounts[].Type": _mount("grep -c ' /there tmpfs ' /proc/mounts", "1", Type="tmpfs", Source=""),
    "HostConfig.Mounts[].ReadOnly": _mount(f"{_OPTIONS_OF} | cut -c 1-2", "ro", ReadOnly=True),
    "HostConfig.Mounts[].Consistency": Kept(
        value=[{"Type": "bind", "Source": _FOLDER, "Target": "/there", "Consistency": "cached"}],
        why="a hint for machines whose files are on another one",
    ),
    "HostConfig.Mounts[].BindOptions.Propagation": (
        _mount("echo made", "made", BindOptions={"Propagation": "rslave"}),
        Refused(value=_SLAVE, status=400, says="it is not a shared or slave mount"),
    ),
    "HostConfig.Mounts[].BindOptions.NonRecursive": _mount(
        "grep -c ' /there/' /proc/mounts", "0", Source="/dev", BindOptions={"NonRecursive": True}
    ),
    "HostConfig.Mounts[].BindOptions.CreateMountpoint": _mount(
        elsewhere=f'{_SESSIONS}mounts.session: -v "$PWD/created:/in"', BindOptions={"CreateMountpoint": True}
    ),
    "HostConfig.Mounts[].BindOptions.ReadOnlyNonRecursive": _mount(
        f"{_OPTIONS_OF} | cut -c 1-2", "ro", ReadOnly=True, BindOptions={"ReadOnlyNonRecursive": True}
    ),
    "HostConfig.Mounts[].BindOptions.ReadOnlyForceRecursive": _mount(
        f"{_OPTIONS_OF} | cut -c 1-2", "ro", ReadOnly=True, BindOptions={"ReadOnlyForceRecursive": True}
    ),
    "HostConfig.Mounts[].VolumeOptions.NoCopy": _volume("ls /etc | grep -c passwd", "0", NoCopy=True),
    "HostConfig.Mounts[].VolumeOptions.Labels": _volume("ls /etc | grep -c passwd$", "1", Labels={"a": "b"}),
    "HostConfig.Mounts[].VolumeOptions.DriverConfig.Name": Refused(
        value=[{"Type": "volume", "Target": "/v", "VolumeOptions": {"DriverConfig": {"Name": "nosuch"}}}],
        status=404,
        says='plugin "nosuch" not found',
    ),
    "HostConfig.Mounts[].VolumeOptions.DriverConfig.Options": Refused(
        value=[{"Type": "volume", "Target": "/v", "VolumeOptions": {"DriverConfig": {"Options": {"nosuch": "1"}}}}],
        status=400,
        says='invalid option: "nosuch"',
    ),
    "HostConfig.Mounts[].VolumeOptions.Subpath": Refused(
        value=[{"Type": "volume", "Target": "/v", "VolumeOptions": {"Subpath": "below"}}],
        status=400,
        says="must not set Subpath when using anonymous volumes",
    ),
    "HostConfig.Mounts[].ImageOptions.Subpath": _mount(
        "ls /there | grep passwd", "passwd", Type="image", Source="busybox", ImageOptions={"Subpath": "etc"}
    ),
    "HostConfig.Mounts[].TmpfsOptions.SizeBytes": _tmpfs(
        f"{_OPTIONS_OF} | grep -o size=.*k", "size=2048k", SizeBytes=2 << 20
    ),
    "HostConfig.Mounts[].TmpfsOptions.Mode": _tmpfs("stat -c %a /there", "751", Mode=0o751),
    "HostConfig.Mounts[].TmpfsOptions.Options": _tmpfs(f"{_OPTIONS_OF} | grep -c noexec", "0", Options=[["exec"]]),
}

HOST_CONFIG: Final[Verdicts] = {
    "HostConfig.Binds": Obeyed(value=[f"{_FOLDER}:/there:ro"], command=f"{_OPTIONS_OF} | cut -c 1-2", prints="ro"),
    "HostConfig.ContainerIDFile": Kept(value="/tmp/id", why="the client writes it"),
    "HostConfig.LogConfig.Type": Obeyed(value="none", elsewhere=f"{_SESSIONS}logs.session: --log-driver none"),
    "HostConfig.LogConfig.Config": Obeyed(
        value={"max-size": "1m"},
        beside=_host(LogConfig={"Type": "json-file"}),
        elsewhere="tests/conformance/test_logs.py: rotat",
    ),
    "HostConfig.NetworkMode": Obeyed(value="none", command="ls /sys/class/net", prints="lo"),
    "HostConfig.PortBindings": Obeyed(
        value={"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "0"}]},
        elsewhere="tests/integration/network/test_ports.py: def test_a_port_of_one_host_address_answers_only_there",
    ),
    "HostConfig.RestartPolicy.Name": Obeyed(
        value="always", elsewhere=f"{_SESSIONS}restart.session: --name always --restart always"
    ),
    "HostConfig.RestartPolicy.MaximumRetryCount": Obeyed(
        value=2,
        beside=_host(RestartPolicy={"Name": "on-failure"}),
        elsewhere=f"{_SESSIONS}restart.session: --restart on-failure:2",
    ),
    "HostConfig.AutoRemove": Obeyed(value=True, elsewhere=f"{_SESSIONS}run.session: docker ps --all --quiet"),
    "HostConfig.VolumeDriver": Refused(value="nosuch", status=404, says='plugin "nosuch" not found'),
    "HostConfig.VolumesFrom": Obeyed(
        value=["other-of-fields:ro"], command="grep ' /data ' /proc/mounts | cut -d ' ' -f 4 | cut -c 1-2", prints="ro"
    ),
    "HostConfig.ConsoleSize": Obeyed(value=[33, 77], beside={"Tty": True}, command="stty size", prints="33 77"),
    "HostConfig.Annotations": Kept(value={"a": "b"}, why="for the OCI runtime and its hooks"),
    "HostConfig.CapAdd": Obeyed(
        value=["SYS_TIME"], command="grep CapEff /proc/self/status", prints="CapEff:\t00000000aa0425fb"
    ),
    "HostConfig.CapDrop": Obeyed(
        value=["CHOWN"], command="grep CapEff /proc/self/status", prints="CapEff:\t00000000a80425fa"
    ),
    "HostConfig.CgroupnsMode": Obeyed(
        value="host", command="grep -c /zonehost/ /proc/self/cgroup", prints="[1-9][0-9]*"
    ),
    "HostConfig.Dns": Obeyed(
        value=["10.9.9.9"], command="grep nameserver /etc/resolv.conf", prints="nameserver 10.9.9.9"
    ),
    "HostConfig.DnsOptions": Obeyed(
        value=["ndots:7"], command="grep options /etc/resolv.conf", prints="options ndots:7.*"
    ),
    "HostConfig.DnsSearch": Obeyed(
        value=["example.org"], command="grep search /etc/resolv.conf", prints="search example.org"
    ),
    "HostConfig.ExtraHosts": Obeyed(value=["far:10.1.2.3"], command="grep far /etc/hosts", prints="10.1.2.3\tfar"),
    "HostConfig.GroupAdd": Obeyed(value=["77"], command="id -G", prints="0 .*77"),
    "HostConfig.IpcMode": Obeyed(value="shareable", elsewhere=f"{_SESSIONS}security.session: --ipc container:"),
    "HostConfig.Cgroup": Refused(value="container:x", status=501, says="Cgroup"),
    "HostConfig.Links": Obeyed(
        value=["other-of-fields:db"],
        command="grep -c 'db ' /etc/hosts",
        prints="1",
        shown=["/other-of-fields:/field/db"],
    ),
    "HostConfig.OomScoreAdj": Obeyed(value=321, command="cat /proc/self/oom_score_adj", prints="321"),
    "HostConfig.PidMode": Obeyed(
        value="container:other-of-fields", command="ps -o args | grep -c '^sleep 600$'", prints="1", shown=NOTHING
    ),
    "HostConfig.Privileged": Obeyed(
        value=True, command="cat /proc/self/uid_map | awk '{ print $1, $2 }'", prints="0 0"
    ),
    "HostConfig.PublishAllPorts": Obeyed(
        value=True,
        beside={"ExposedPorts": {"5353/udp": {}}},
        elsewhere=f"{_SESSIONS}network.session: --publish-all",
    ),
    "HostConfig.ReadonlyRootfs": Obeyed(
        value=True, command="grep ' / ' /proc/mounts | cut -d ' ' -f 4 | cut -c 1-2", prints="ro"
    ),
    "HostConfig.SecurityOpt": Obeyed(
        value=["no-new-privileges"], command="grep NoNewPrivs /proc/self/status", prints="NoNewPrivs:\t1"
    ),
    "HostConfig.StorageOpt": Obeyed(value={"size": "64m"}, elsewhere="tests/integration/test_df.py: size="),
    "HostConfig.Tmpfs": Obeyed(
        value={"/there": "size=2m"}, command=f"{_OPTIONS_OF} | grep -o size=2048k", prints="size=2048k"
    ),
    "HostConfig.UTSMode": Obeyed(value="host", elsewhere=f"{_SESSIONS}security.session: --uts host"),
    "HostConfig.UsernsMode": Obeyed(
        value="host", command="cat /proc/self/uid_map | awk '{ print $1, $2 }'", prints="0 0"
    ),
    "HostConfig.ShmSize": Obeyed(
        value=8 << 20, command="grep ' /dev/shm ' /proc/mounts | grep -o size=8192k", prints="size=8192k"
    ),
    "HostConfig.Sysctls": Obeyed(
        value={"net.ipv4.ip_default_ttl": "33"}, command="cat /proc/sys/net/ipv4/ip_default_ttl", prints="33"
    ),
    "HostConfig.Runtime": Refused(value="nosuch", status=400, says="unknown or invalid runtime name: nosuch"),
    "HostConfig.Isolation": Refused(value="process", status=400, says="invalid isolation (process)"),
    "HostConfig.MaskedPaths": Obeyed(value=["/etc/passwd"], command="wc -c </etc/passwd", prints="0"),
    "HostConfig.ReadonlyPaths": Obeyed(
        value=["/etc"], command="grep ' /etc ' /proc/mounts | cut -d ' ' -f 4 | cut -c 1-2", prints="ro"
    ),
    **MOUNTS,
}
