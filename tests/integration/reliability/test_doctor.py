"""`zonehost doctor` finds each kind of orphan and loss that somebody makes, and mends what can be mended."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.rig import COMMAND, Daemon
from zonehost.linux.cgroup import discover

MakeDaemon = Callable[..., Daemon]
NOBODY = "fee1dead" * 8


@pytest.fixture
def own(new_daemon: MakeDaemon) -> Daemon:
    daemon = new_daemon("--storage-driver", "directory")
    daemon.zonehost("bootstrap", "busybox")
    daemon.docker("network", "create", "net")
    daemon.docker("run", "-d", "--name", "web", "--network", "net", "-p", "80", "busybox", "sleep", "1000")
    return daemon


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def doctor(daemon: Daemon, *options: str) -> tuple[int, list[tuple[str, str]]]:
    """The exit status, and trouble and kind of each finding, each once."""
    done = subprocess.run(
        [*doctor_command(daemon), *options], capture_output=True, text=True, env=daemon.environment, timeout=60
    )
    assert done.stdout, done.stderr
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    return done.returncode, sorted({(finding["trouble"], finding["kind"]) for finding in findings})


def doctor_command(daemon: Daemon) -> list[str]:
    """`zonehost doctor`, which asks the daemon, or looks by itself where none runs."""
    return [
        *(str(COMMAND), "doctor", "--json", "--storage-driver", "directory"),
        *("--data-root", str(daemon.instance.data_root)),
        *("--run-root", str(daemon.instance.run_root)),
        *("--name", daemon.instance.name),
    ]


def container(daemon: Daemon) -> str:
    return daemon.docker("inspect", "-f", "{{.Id}}", "web")


def mark(daemon: Daemon) -> str:
    return hashlib.sha256(daemon.instance.name.encode()).hexdigest()[:5]


def plant_a_stray_process(daemon: Daemon, undo: ExitStack) -> None:
    stray = subprocess.Popen(["sleep", "1000"])
    undo.callback(stray.wait)
    undo.callback(stray.kill)
    group = Path(discover().unified, "zonehost", daemon.instance.name, container(daemon), "zone")
    (group / "cgroup.procs").write_text(str(stray.pid))


def plant_a_cgroup(daemon: Daemon, undo: ExitStack) -> None:
    for root in discover().roots:
        Path(root, "zonehost", daemon.instance.name, NOBODY).mkdir()


def plant_a_folder(daemon: Daemon, undo: ExitStack) -> None:
    (daemon.instance.run_root / "zones" / NOBODY).mkdir()


def plant_datasets(daemon: Daemon, undo: ExitStack) -> None:
    (daemon.instance.data_root / "zones" / NOBODY / "root").mkdir(parents=True)
    (daemon.instance.data_root / "volumes" / "nobodys" / "_data").mkdir(parents=True)


def plant_a_layer(daemon: Daemon, undo: ExitStack) -> None:
    layers = daemon.instance.data_root / "layers"
    shutil.copytree(next(layers.iterdir()), layers / NOBODY, symlinks=True)


def plant_a_link(daemon: Daemon, undo: ExitStack) -> None:
    peer = f"{daemon.instance.name[-8:]}p"
    command = ["ip", "link", "add", f"zv{mark(daemon)}deadbeef", "type", "veth", "peer", "name", peer]
    subprocess.run(command, check=True)


def delete_the_bridge(daemon: Daemon, network: str) -> None:
    subprocess.run(["ip", "link", "delete", f"zb{mark(daemon)}{network[:8]}"], check=True)


def put_out_a_port(daemon: Daemon, undo: ExitStack) -> None:
    endpoint = daemon.docker("inspect", "-f", "{{.NetworkSettings.Networks.net.EndpointID}}", "web")
    subprocess.run(["ip", "link", "set", f"zv{mark(daemon)}{endpoint[:8]}", "nomaster"], check=True)


def remove_the_dataset(daemon: Daemon, undo: ExitStack) -> None:
    daemon.docker("create", "--name", "lost", "busybox")
    lost = daemon.docker("inspect", "-f", "{{.Id}}", "lost")
    shutil.rmtree(daemon.instance.data_root / "zones" / lost)


Plant = Callable[[Daemon, ExitStack], None]
PLANTS: list[tuple[Plant, list[tuple[str, str]]]] = [
    (plant_a_stray_process, [("stray", "process")]),
    (plant_a_cgroup, [("orphan", "cgroup")]),
    (plant_a_folder, [("orphan", "folder")]),
    (plant_datasets, [("orphan", "dataset"), ("orphan", "volume")]),
    (plant_a_layer, [("orphan", "layer")]),
    (plant_a_link, [("orphan", "link")]),
    (put_out_a_port, [("loss", "link")]),
]


def test_all_kinds_are_found_mended_and_then_nothing_is_said(own: Daemon, undo: ExitStack) -> None:
    assert doctor(own) == (0, [])
    for plant, expected in PLANTS:
        plant(own, undo)
        status, found = doctor(own)
        assert status == 1, plant.__name__
        assert set(expected) <= set(found), plant.__name__
        assert doctor(own, "--repair") == (0, []), plant.__name__
        assert doctor(own) == (0, []), plant.__name__
    assert own.docker("exec", "web", "echo", "lives") == "lives"


@pytest.mark.parametrize("dies", ["daemon", "command"])
def test_a_repair_that_is_killed_is_made_again(
    own: Daemon, undo: ExitStack, dies: str, rounds: Callable[[int, int], int]
) -> None:
    """The daemon mends, or where it is down the command by itself; each is killed within that."""
    moments = rounds(3, 6)
    process = own.docker("inspect", "-f", "{{.State.Pid}}", "web")
    for moment in range(moments):
        for plant in (plant_a_cgroup, plant_a_folder, plant_datasets, plant_a_layer, plant_a_link, put_out_a_port):
            plant(own, undo)
        if dies == "command":
            own.kill()
        command = [*doctor_command(own), "--repair"]
        repair = subprocess.Popen(command, env=own.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.6 * moment / moments)
        own.kill() if dies == "daemon" else repair.kill()
        repair.wait(timeout=60)
        own.start()
        assert doctor(own, "--repair") == (0, [])
    assert own.docker("inspect", "-f", "{{.State.Pid}}", "web") == process
    own.docker("run", "--rm", "--network", "net", "busybox", "ping", "-c", "1", "web")


def test_a_lost_dataset_is_named(own: Daemon, undo: ExitStack) -> None:
    remove_the_dataset(own, undo)
    assert doctor(own) == (1, [("loss", "dataset")])


def test_it_works_while_the_daemon_is_down(own: Daemon, undo: ExitStack) -> None:
    network = own.docker("network", "inspect", "-f", "{{.Id}}", "net")
    own.kill()
    assert doctor(own) == (0, [])
    plant_datasets(own, undo)
    plant_a_cgroup(own, undo)
    delete_the_bridge(own, network)  # with the daemon up it would be there again at once
    delete = ["nft", "delete", "table", "inet", f"zonehost-{own.instance.name}"]
    subprocess.run(delete, check=True)
    status, found = doctor(own)
    assert status == 1
    expected = {("orphan", "dataset"), ("orphan", "cgroup"), ("loss", "firewall"), ("loss", "bridge")}
    assert expected <= set(found)
    assert doctor(own, "--repair") == (0, [])
    own.start()
    assert own.docker("run", "--rm", "--network", "net", "busybox", "ping", "-c", "1", "web")
    assert own.docker("exec", "web", "echo", "lives") == "lives"


def test_a_killed_keeper_is_found_while_the_daemon_is_down_and_settled_when_it_comes(
    own: Daemon, undo: ExitStack
) -> None:
    keeper = own.keeper("web")
    own.kill()
    os.kill(keeper, signal.SIGKILL)
    status, found = doctor(own)
    assert status == 1
    assert ("loss", "keeper") in found
    own.start()
    assert doctor(own) == (0, [])
    assert own.docker("inspect", "-f", "{{.State.Running}}", "web") == "false"


def test_zone_show_lists_what_the_zone_owns(own: Daemon) -> None:
    shown = json.loads(own.zonehost("zone", "show", "web", "--json"))
    assert [process["command"] for process in shown["processes"]] == ["sleep 1000"]
    assert len(shown["keeper"]) == 1
    assert set(shown["namespaces"]) == {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}
    assert any(mount.startswith("/ overlay ") for mount in shown["mounts"])
    assert shown["cgroups"]
    assert shown["addresses"]
    assert shown["ports"]
    assert any("ports4" in line for line in shown["network"])
    assert Path(shown["log"]).exists()
