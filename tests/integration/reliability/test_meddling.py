"""What root can do to running zones behind the daemon's back, the daemon up; and a machine that is started again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.inventory import Instance, datasets, holdings
from tests.integration.rig import COMMAND, Daemon, Failed, Result

SLEEP = ("busybox", "sleep", "3600")
SOON = 5.0
"""Seconds: half of what the daemon waits for a zone that does not end."""
TRIES = 100


@pytest.fixture
def up(own: Daemon) -> Daemon:
    """A daemon with a zone `up`."""
    own.docker("run", "-d", "--name", "up", *SLEEP)
    return own


def folder_of(daemon: Daemon, zone: str) -> Path:
    """The zone's folder below the run root."""
    return daemon.instance.run_root / "zones" / daemon.docker("inspect", "-f", "{{.Id}}", zone)


def gone(daemon: Daemon) -> bool:
    """Whether nothing of any zone is left."""
    return daemon.docker("ps", "-aq") == "" and datasets(daemon.instance) == [] and daemon.doctor() == []


def assert_ends_soon(up: Daemon, command: tuple[str, ...]) -> None:
    """The zone `up` ends by this command, is told to have been killed, and is taken away."""
    began = time.monotonic()
    up.docker(*command, "up")
    if command[0] != "rm":
        assert up.docker("wait", "up") == "137"
        up.docker("rm", "up")
    assert time.monotonic() - began < SOON
    assert gone(up)


@pytest.mark.parametrize("command", [("stop", "-t", "0"), ("kill",), ("rm", "-f")], ids=" ".join)
def test_a_stopped_keeper_holds_nothing_up(up: Daemon, command: tuple[str, ...]) -> None:
    os.kill(up.keeper("up"), signal.SIGSTOP)
    assert up.docker("exec", "up", "echo", "lives") == "lives"
    assert_ends_soon(up, command)


@pytest.mark.parametrize("command", [("stop", "-t", "0"), ("kill",), ("rm", "-f")], ids=" ".join)
@pytest.mark.parametrize("part", ["", "keeper"])
def test_a_frozen_keeper_holds_nothing_up(up: Daemon, command: tuple[str, ...], part: str) -> None:
    zone = up.docker("inspect", "-f", "{{.Id}}", "up")
    own_groups = Path("/sys/fs/cgroup").glob(f"**/zonehost/{up.instance.name}/{zone}/keeper/cgroup.freeze")
    (next(own_groups).parents[1] / part / "cgroup.freeze").write_text("1")
    assert_ends_soon(up, command)


def test_a_zone_without_its_run_folder_is_stopped_started_and_removed(up: Daemon) -> None:
    shutil.rmtree(folder_of(up, "up"))
    assert up.docker("exec", "up", "echo", "lives") == "lives"
    up.docker("stop", "-t", "0", "up")
    up.docker("start", "up")
    assert up.docker("exec", "up", "echo", "lives") == "lives"
    up.docker("rm", "-f", "up")
    assert gone(up)


def test_a_zone_elsewhere_without_its_run_folder_is_removed(own: Daemon) -> None:
    own.docker("run", "-d", "--name", "below", "--cgroup-parent", own.instance.name, *SLEEP)
    pid = own.docker("inspect", "-f", "{{.State.Pid}}", "below")
    shutil.rmtree(folder_of(own, "below"))
    own.docker("rm", "-f", "below")
    assert not Path("/proc", pid, "exe").exists()
    assert gone(own)
    assert not [
        group for place in (own.instance.name, f"*/{own.instance.name}") for group in Path("/sys/fs/cgroup").glob(place)
    ]


def test_zones_are_born_where_the_folder_of_all_is_gone(up: Daemon) -> None:
    shutil.rmtree(up.instance.run_root / "zones")
    assert up.docker("run", "--rm", "busybox", "echo", "born") == "born"
    up.docker("rm", "-f", "up")
    assert gone(up)


def test_deleted_links_are_found_and_made_again(own: Daemon) -> None:
    own.docker("network", "create", "net")
    for zone in ("one", "other"):
        own.docker("run", "-d", "--name", zone, "--net", "net", *SLEEP)
    places = [own.docker("exec", zone, "ip", "-o", "addr") for zone in ("one", "other")]
    for link in links(own.instance, "zv"):
        subprocess.run(["ip", "link", "delete", link], check=True, timeout=20)
    _until(own, "exec", "one", "ping", "-c", "1", "-W", "1", "other")
    _until(own, "exec", "other", "ping", "-c", "1", "-W", "1", "one")
    again = [own.docker("exec", zone, "ip", "-o", "addr") for zone in ("one", "other")]
    assert [_addresses(text) for text in again] == [_addresses(text) for text in places]
    assert own.log.read_text().count("somebody deleted links of container") == 2
    assert own.doctor() == []


def test_a_link_that_goes_while_no_daemon_runs_is_made_again(up: Daemon) -> None:
    up.kill()
    [link] = links(up.instance, "zv")
    subprocess.run(["ip", "link", "delete", link], check=True, timeout=20)
    up.start()
    gateway = up.docker("inspect", "-f", "{{.NetworkSettings.Networks.bridge.Gateway}}", "up")
    up.docker("exec", "up", "ping", "-c", "1", "-W", "1", gateway)
    assert up.doctor() == []


def test_a_repair_leaves_alone_what_is_being_made(own: Daemon, rounds: Callable[[int, int], int]) -> None:
    """Links of a start that goes on, and the bridge of a network that is being made, are nobody's yet."""
    count = rounds(6, 20)  # Docker's own pools have 31 subnets
    ended = threading.Event()

    def repair() -> None:
        while not ended.is_set():
            plant = f"{links_prefix(own.instance, 'zv')}deadbeef"
            subprocess.run(["ip", "link", "add", plant, "type", "veth", "peer", "name", f"{plant[:-1]}p"], check=True)
            # It says, and ends with 1, that a container is just being made.
            subprocess.run([COMMAND, "doctor", "--repair"], env=own.environment, capture_output=True, timeout=60)

    def make(number: int) -> None:
        own.docker("network", "create", f"net{number}")
        own.docker("run", "-d", "--name", f"zone{number}", "--net", f"net{number}", *SLEEP)

    with ThreadPoolExecutor(5) as pool:
        repairing = pool.submit(repair)
        try:
            list(pool.map(make, range(count)))
        finally:
            ended.set()
        repairing.result()
    for number in range(count):
        gateway = own.docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", f"zone{number}")
        own.docker("exec", f"zone{number}", "ping", "-c", "1", "-W", "1", gateway)
    assert "somebody deleted" not in own.log.read_text()
    assert own.doctor() == []


def test_a_pool_that_is_unmounted_is_named_and_comes_back(up: Daemon) -> None:
    assert up.process is not None
    pool = str(up.instance.data_root / "pool")
    inside = ["nsenter", "--target", str(up.process.pid), "--mount", "umount"]
    assert subprocess.run([*inside, pool], capture_output=True, timeout=20).returncode != 0, "it is in use"
    subprocess.run([*inside, "--lazy", pool], check=True, timeout=20)
    for words in (("run", "--rm", *SLEEP), ("volume", "create", "new"), ("commit", "up", "made")):
        result = up.run(*words)
        assert result.status != 0
        assert pool in result.err
    with pytest.raises(Failed, match=f"No such file or directory: '{pool}"):
        up.doctor()
    assert up.docker("exec", "up", "echo", "lives") == "lives"
    up.kill()
    up.start()
    up.docker("run", "--rm", "-v", "new:/new", "busybox", "true")
    up.docker("volume", "rm", "new")
    up.docker("rm", "-f", "up")
    assert gone(up)


def test_many_removals_and_a_kill(own: Daemon, rounds: Callable[[int, int], int]) -> None:
    names = [f"zone{number}" for number in range(rounds(12, 40))]
    for name in names:
        own.docker("run", "-d", "--name", name, *SLEEP)
    first = threading.Event()

    def remove(name: str) -> Result:
        result = own.run("rm", "-f", name)
        first.set()
        return result

    with ThreadPoolExecutor(len(names)) as clients:
        removals = {name: clients.submit(remove, name) for name in names}
        assert first.wait(60)
        own.kill()
    own.start()
    left = own.docker("ps", "-a", "--format", "{{.Names}}").split()
    assert [name for name in left if removals[name].result().status == 0] == []
    if left:
        own.docker("rm", "-f", *left)
    assert gone(own)


def test_a_machine_that_is_started_again(own: Daemon) -> None:
    """As it looks after a reboot: no process, no group, no link, no rule, and a run root that was a tmpfs."""
    policies = {"always": "always", "unless": "unless-stopped", "failure": "on-failure", "plain": "no"}
    for name, policy in policies.items():
        own.docker("run", "-d", "--name", name, "--restart", policy, "-p", "127.0.0.1::80", *SLEEP)
    own.docker("run", "-d", "--name", "once", "--rm", "-v", "/anonymous", *SLEEP)
    own.docker("run", "-d", "--name", "stopped", "--restart", "unless-stopped", *SLEEP)
    own.docker("stop", "-t", "0", "stopped")
    own.kill()
    power_off(own.instance)
    assert holdings(own.instance) == []
    own.start()
    for name in ("always", "unless", "failure"):
        _until(own, "exec", name, "true")
        assert own.docker("port", name, "80").startswith("127.0.0.1:")
    states = dict(line.split() for line in own.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines())
    assert states == {
        **dict.fromkeys(("always", "unless", "failure"), "running"),
        "plain": "exited",
        "stopped": "exited",
    }
    assert own.docker("inspect", "-f", "{{.State.ExitCode}}", "plain") == "255"
    assert own.doctor() == []
    own.docker("rm", "-f", *states)
    assert gone(own)


def power_off(instance: Instance) -> None:
    """Take away all that does not outlive the power, of an instance without a daemon."""
    while pids := [line.split()[1].rstrip(":") for line in holdings(instance) if line.startswith("process ")]:
        for pid in pids:
            subprocess.run(["kill", "-KILL", pid], check=False, capture_output=True, timeout=20)
    for entry in instance.run_root.iterdir():
        if entry.is_dir() and entry.name != "docker-config":
            shutil.rmtree(entry)
        elif entry.suffix != ".log" and not entry.is_dir():
            entry.unlink()
    groups = [line.removeprefix("cgroup ") for line in holdings(instance) if line.startswith("cgroup ")]
    for group in sorted(groups, reverse=True):
        Path(group).rmdir()
    for link in (*links(instance, "zv"), *links(instance, "zb")):
        subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True, timeout=20)
    for line in holdings(instance):
        if line.startswith("nft table "):
            subprocess.run(["nft", "delete", "table", *line.split()[2:]], check=True, timeout=20)


def links_prefix(instance: Instance, kind: str) -> str:
    """How the names of its links of a kind begin."""
    return f"{kind}{hashlib.sha256(instance.name.encode()).hexdigest()[:5]}"


def links(instance: Instance, kind: str) -> list[str]:
    """The names of its links."""
    prefix = links_prefix(instance, kind)
    told = subprocess.run(["ip", "-json", "link", "show"], check=True, capture_output=True, text=True, timeout=20)
    return [link["ifname"] for link in json.loads(told.stdout) if link["ifname"].startswith(prefix)]


def _addresses(told: str) -> list[list[str]]:
    """Interface, family and address of each line of `ip -o addr`, but those that the kernel makes up by itself."""
    return [line.split()[1:4] for line in told.splitlines() if " fe80:" not in line]


def _until(daemon: Daemon, *words: str) -> None:
    """Run docker until it succeeds: what it needs is on its way."""
    for _ in range(TRIES):
        if daemon.run(*words).status == 0:
            return
    raise AssertionError(f"docker {' '.join(words)} never succeeded")
