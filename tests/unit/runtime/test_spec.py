from __future__ import annotations

from typing import Any

import pytest

from zonehost.domain.blueprint import BindMount, Blueprint, ImageMount, Namespaces, Process, Root, TmpfsMount
from zonehost.domain.host_config import Ulimit
from zonehost.domain.security import ALL_CAPABILITIES, DEFAULT_CAPABILITIES
from zonehost.drivers.runtime import spec
from zonehost.drivers.runtime.site import Site
from zonehost.drivers.runtime.spec_devices import Node
from zonehost.linux.accounts import Account

PRIVATE = {
    "mount": "",
    "user": "/proc/1/fd/3",
    "network": "/proc/1/fd/4",
    "pid": "",
    "ipc": "",
    "uts": "",
    "cgroup": "",
}
ACCOUNT = Account(uid=5, gid=6, groups=(6, 7), home="/home/x")
LOOP = Node("/dev/loop7", "b", 7, 7, 0o660, 0, 6, "rw")


def config(process: dict[str, Any] | None = None, site: dict[str, Any] | None = None, **blueprint: Any) -> Any:
    plan = {"args": ("true",), "env": ("A=1",), "capabilities": DEFAULT_CAPABILITIES, **(process or {})}
    root = blueprint.pop("root", Root(layers=(), dataset="/d"))
    drawn = Blueprint(id="z1", root=root, process=Process(**plan), hostname="h1", **blueprint)
    return spec.config(drawn, Site(**{"root": "/stage/1", "account": ACCOUNT, "namespaces": PRIVATE, **(site or {})}))


def mounts(**options: Any) -> dict[str, dict[str, Any]]:
    return {mount["destination"]: mount for mount in config(**options)["mounts"]}


def test_process() -> None:
    process = config()["process"]
    assert process["user"] == {"uid": 5, "gid": 6, "additionalGids": (6, 7)}
    assert process["args"] == ("true",)
    assert process["env"] == ("A=1", "HOME=/home/x")
    assert process["capabilities"].keys() == {"bounding", "effective", "permitted"}
    assert process["capabilities"]["effective"] == list(DEFAULT_CAPABILITIES)
    assert (process["noNewPrivileges"], process["oomScoreAdj"], process["terminal"]) == (False, 0, False)
    assert "rlimits" not in process
    assert "consoleSize" not in process


def test_an_empty_home_is_none() -> None:
    assert config(process={"env": ("HOME=", "A=1")})["process"]["env"] == ("HOME=/home/x", "A=1")


def test_process_options() -> None:
    process = config(
        process={
            "env": ("HOME=/elsewhere",),
            "tty": True,
            "console_size": (24, 80),
            "no_new_privileges": True,
            "oom_score_adj": 300,
            "ulimits": (Ulimit(name="nofile", soft=1, hard=2),),
            "cwd": "/w",
        }
    )["process"]
    assert process["env"] == ("HOME=/elsewhere",)
    assert process["consoleSize"] == {"height": 24, "width": 80}
    assert process["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}]
    assert (process["terminal"], process["noNewPrivileges"], process["oomScoreAdj"]) == (True, True, 300)
    assert process["cwd"] == "/w"


def test_all_capabilities_of_a_zone_with_its_own_ids() -> None:
    assert config(process={"capabilities": ALL_CAPABILITIES})["process"]["capabilities"]["bounding"] == [
        *ALL_CAPABILITIES
    ]


def test_the_default_mounts_are_dockers_in_its_order() -> None:
    made = [(mount["destination"], mount["type"]) for mount in config()["mounts"]]
    assert made == [
        ("/proc", "proc"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/sys", "sysfs"),
        ("/sys/fs/cgroup", "cgroup"),
        ("/dev/mqueue", "mqueue"),
        ("/dev/shm", "tmpfs"),
    ]


def test_sys_is_writable_only_in_a_privileged_zone_with_a_writable_root() -> None:
    readonly = Root(layers=(), dataset="/d", readonly=True)
    assert "ro" in mounts()["/sys"]["options"]
    assert "ro" not in mounts(privileged=True)["/sys"]["options"]
    assert "ro" in mounts(privileged=True, root=readonly)["/sys/fs/cgroup"]["options"]


def test_shm() -> None:
    assert "size=1234" in mounts(shm_size=1234)["/dev/shm"]["options"]
    assert "/dev/shm" not in mounts(namespaces=Namespaces(ipc="none"))
    joined = mounts(namespaces=Namespaces(ipc="host"), site={"shm": "/stage/4", "mqueue": "/stage/5"})
    assert (joined["/dev/shm"]["type"], joined["/dev/shm"]["source"]) == ("bind", "/stage/4")
    assert joined["/dev/mqueue"]["source"] == "/stage/5"


def test_the_hosts_namespaces_are_shown_by_binds_to_a_zone_with_ids_of_its_own() -> None:
    shared = Namespaces(net="host", pid="host")
    for userns, kinds in ((True, ("bind", "bind")), (False, ("proc", "sysfs"))):
        made = mounts(namespaces=shared, site={"userns": userns})
        assert (made["/proc"]["type"], made["/sys"]["type"]) == kinds


@pytest.mark.parametrize(("hybrid", "kind"), [(False, "bind"), (True, "cgroup")])
def test_the_hosts_cgroup_namespace(hybrid: bool, kind: str) -> None:
    made = mounts(namespaces=Namespaces(cgroup="host"), site={"hybrid": hybrid})
    assert made["/sys/fs/cgroup"]["type"] == kind


def test_asked_mounts_replace_default_ones_and_come_parents_first() -> None:
    made = config(
        binds=(BindMount(source="/a", destination="/srv/x/y"), BindMount(source="/b", destination="/srv")),
        images=(ImageMount(layers=(), destination="/srv/x"),),
        tmpfs=(TmpfsMount(destination="/dev/shm", options=("size=1m",)),),
        site={"binds": ("/stage/2", "/stage/3"), "images": ("/stage/4",)},
    )["mounts"]
    assert [mount["destination"] for mount in made[6:]] == ["/srv", "/srv/x", "/dev/shm", "/srv/x/y"]
    assert [mount["source"] for mount in made[6:]] == ["/stage/3", "/stage/4", "tmpfs", "/stage/2"]


def test_a_mount_on_dev_takes_the_defaults_below_it_away() -> None:
    made = mounts(binds=(BindMount(source="/dev", destination="/dev"),), site={"binds": ("/stage/2",)})
    assert [path for path in made if path.startswith("/dev")] == ["/dev"]


@pytest.mark.parametrize(
    ("bind", "options"),
    [
        ({}, ["rbind", "rw", "rprivate"]),
        ({"readonly": True}, ["rbind", "ro", "rro", "rprivate"]),
        ({"readonly": True, "recursive_readonly": False}, ["rbind", "ro", "rprivate"]),
        ({"readonly": True, "recursive": False}, ["bind", "ro", "rprivate"]),
        ({"propagation": "rslave"}, ["rbind", "rw", "rslave"]),
    ],
)
def test_bind_options(bind: dict[str, Any], options: list[str]) -> None:
    made = mounts(binds=(BindMount(source="/a", destination="/b", **bind),), site={"binds": ("/stage/2",)})
    assert made["/b"]["options"] == options


@pytest.mark.parametrize(
    ("propagations", "root"),
    [([], "rprivate"), (["rprivate"], "rprivate"), (["rslave"], "rslave"), (["slave", "rshared"], "shared")],
)
def test_the_roots_propagation(propagations: list[str], root: str) -> None:
    binds = tuple(BindMount(source="/a", destination=f"/{kind}", propagation=kind) for kind in propagations)
    assert config(binds=binds, site={"binds": ("/s",) * len(binds)})["linux"]["rootfsPropagation"] == root


def test_init_only_with_a_pid_namespace_of_its_own() -> None:
    own = config(process={"init": True})
    assert own["process"]["args"] == ["/sbin/docker-init", "--", "true"]
    assert own["mounts"][-1]["source"] == "/usr/bin/tini-static"
    shared = config(process={"init": True}, namespaces=Namespaces(pid="host"))
    assert shared["process"]["args"] == ("true",)
    assert "/sbin/docker-init" not in [mount["destination"] for mount in shared["mounts"]]


def test_devices_are_made_by_crun_or_bound() -> None:
    by_crun = config(site={"userns": False, "devices": (LOOP,)})
    assert by_crun["linux"]["devices"] == [
        {"path": "/dev/loop7", "type": "b", "major": 7, "minor": 7, "fileMode": 0o660, "uid": 0, "gid": 6}
    ]
    bound = config(site={"devices": (LOOP,), "nodes": ("/stage/9",)})
    assert "devices" not in bound["linux"]
    assert bound["mounts"][-1]["source"] == "/stage/9"


def test_names_belong_to_the_uts_namespace() -> None:
    assert (config(domainname="d")["hostname"], config(domainname="d")["domainname"]) == ("h1", "d")
    assert config()["root"] == {"path": "/stage/1", "readonly": False}
    assert not {"hostname", "domainname"} & config(domainname="d", namespaces=Namespaces(uts="host")).keys()


def test_namespaces_sysctls_and_paths() -> None:
    linux = config(sysctls={"net.a": "1"}, masked_paths=("/proc/kcore",), readonly_paths=("/proc/sys",))["linux"]
    assert {"type": "user", "path": "/proc/1/fd/3"} in linux["namespaces"]
    assert {"type": "mount"} in linux["namespaces"]
    assert linux["sysctl"] == {"net.a": "1"}
    assert (linux["maskedPaths"], linux["readonlyPaths"]) == (("/proc/kcore",), ("/proc/sys",))


def test_the_seccomp_program_stands_beside_the_zones_annotations() -> None:
    assert config(annotations={"a": "b"}, site={"seccomp": "AAAA"})["annotations"] == {
        "a": "b",
        "run.oci.seccomp_bpf_data": "AAAA",
    }
    assert "annotations" not in config()
