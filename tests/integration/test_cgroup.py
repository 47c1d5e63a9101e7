"""A zone's cgroups on the machine as it is, hybrid or pure v2."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zonehost.errors import Unavailable
from zonehost.linux import bpf_device
from zonehost.linux import cgroup_stats as stats
from zonehost.linux.cgroup import discover
from zonehost.linux.cgroup_apply import apply
from zonehost.linux.cgroup_fork import fork_into
from zonehost.linux.cgroup_group import Group, Instance, Part
from zonehost.linux.cgroup_limits import DeviceValue, Limits, Refused, Unenforceable
from zonehost.linux.cgroup_tree import remove_tree

MIB = 1 << 20


@pytest.fixture
def instance() -> Iterator[Instance]:
    made = Instance(discover(), f"test-{os.getpid()}")
    yield made
    for zone in made.zones():
        group = made.group(zone)
        group.kill()
        asyncio.run(asyncio.wait_for(group.emptied(), 10))
        group.remove()
    made.remove()


def test_instances_come_and_go_beside_each_other() -> None:
    """Who leaves last takes away the group above, which others may be about to stand in."""
    parent = f"test-{os.getpid()}-shared"
    instances = [Instance(discover(), f"i{number}", parent) for number in range(3)]

    def come_and_go(instance: Instance) -> None:
        for _ in range(50):
            instance.prepare()
            instance.group("z1").create()
            instance.group("z1").remove()

    try:
        with ThreadPoolExecutor(len(instances)) as pool:
            list(pool.map(come_and_go, instances))
    finally:
        for root in discover().roots:
            remove_tree(f"{root}/{parent}")


@pytest.fixture
def group(instance: Instance) -> Group:
    group = instance.group("z1")
    group.create()
    return group


@pytest.fixture
def start(group: Group) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts Python programs inside the zone's groups."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str = "import time; time.sleep(60)") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-S", "-c", f"input()\n{program}"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        group.move(process.pid, Part.ZONE)
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def memberships(pid: int) -> set[str]:
    return {line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()}


def test_create_is_idempotent_and_remove_is_complete(instance: Instance) -> None:
    group = instance.group("z1")
    group.create()
    group.create()
    assert instance.zones() == {"z1"}
    group.remove()
    group.remove()
    assert instance.zones() == set()


def test_remove_takes_groups_that_were_made_inside(instance: Instance, group: Group) -> None:
    inner = [Path(directory, "a", "b") for directory in (group.part(Part.ZONE), *group.places.legacy.values())]
    for path in inner:
        path.mkdir(parents=True, exist_ok=True)
    group.remove()
    assert instance.zones() == set()


def test_remove_takes_groups_deeper_than_paths_are_long(instance: Instance, group: Group) -> None:
    here = os.open(group.part(Part.ZONE), os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(1100):
        os.mkdir("group", dir_fd=here)
        there = os.open("group", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)
    group.remove()
    assert instance.zones() == set()


def test_remove_refuses_while_a_process_is_inside(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    start()
    with pytest.raises(OSError, match="busy"):
        group.remove()


def test_move_between_zone_and_keeper(
    instance: Instance, group: Group, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = start()
    assert group.pids() == [process.pid]
    group.move(process.pid, Part.KEEPER)
    assert group.pids() == []
    assert group.pids(Part.KEEPER) == [process.pid]
    assert f"/{instance.path}/z1/keeper" in memberships(process.pid)
    assert f"/{instance.path}/z1" not in memberships(process.pid)  # v1: out of the zone's limits


def test_home_is_where_the_first_process_is(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = start()
    assert group.home(process.pid) == group.part(Part.ZONE)
    inner = Path(group.part(Part.ZONE), "init.scope")
    inner.mkdir()
    (inner / "cgroup.procs").write_text(str(process.pid))
    assert group.home(process.pid) == str(inner)
    assert group.pids() == [process.pid]
    with pytest.raises(ProcessLookupError):
        group.home(os.getpid())


def test_a_child_is_born_in_the_group_and_joins_all_others(group: Group) -> None:
    """In a fresh interpreter: fork_into is for processes with one thread, and pytest may have more."""
    program = (
        "import os, sys\n"
        "from zonehost.linux.cgroup_fork import fork_into\n"
        "from zonehost.linux.cgroup_tree import join\n"
        "pid = fork_into(os.open(sys.argv[1], os.O_PATH))\n"
        "if pid == 0:\n"
        "    join(sys.argv[2:])\n"
        "    print(open('/proc/self/cgroup').read(), flush=True)\n"
        "    os._exit(7)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    command = [sys.executable, "-c", program, group.part(Part.ZONE), *group.legacy]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")
    hierarchies = discover()
    assert {line.split(":", 2)[2] for line in done.stdout.split()} == (
        {f"/{group.path}/zone", f"/{group.path}"} if hierarchies.legacy else {f"/{group.path}/zone"}
    )


def test_a_birth_in_no_group_fails_as_the_kernel_says() -> None:
    program = "import os\nfrom zonehost.linux.cgroup_fork import fork_into\nfork_into(os.open('/', os.O_PATH))\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("OSError: [Errno 9]")


async def test_a_second_thread_forbids_a_birth() -> None:
    await asyncio.to_thread(lambda: None)
    with pytest.raises(RuntimeError):
        fork_into(-1)


async def test_what_a_zone_makes_beside_its_group_is_of_the_zone(
    group: Group, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """As init systems do on a hybrid machine: the v1 hierarchies show them no `zone`."""
    process = start()
    beside = Path(group.unified, "init.scope")
    beside.mkdir()
    (beside / "cgroup.procs").write_text(str(process.pid))
    assert group.pids() == [process.pid]
    assert group.home(process.pid) == str(beside)
    await asyncio.wait_for(group.freeze(), 5)
    assert (beside / "cgroup.freeze").read_text() == "1\n"
    group.thaw()
    assert (beside / "cgroup.freeze").read_text() == "0\n"
    group.kill(Part.ZONE)
    assert await asyncio.to_thread(process.wait) == -signal.SIGKILL


async def test_kill_ends_a_frozen_zone(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = start()
    await asyncio.wait_for(group.freeze(), 5)
    group.kill()
    assert await asyncio.to_thread(process.wait) == -signal.SIGKILL
    await asyncio.wait_for(group.emptied(), 5)


async def test_emptied_waits(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = start()
    waiting = asyncio.create_task(group.emptied())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.05)
    process.kill()
    await asyncio.wait_for(waiting, 5)


async def test_a_group_that_is_gone_is_empty(instance: Instance) -> None:
    gone = instance.group("gone")
    await asyncio.wait_for(gone.emptied(), 1)
    gone.kill()
    assert gone.pids() == []
    with pytest.raises(FileNotFoundError):
        await gone.freeze()


async def test_freeze_and_thaw(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = start("print(1)")
    await asyncio.wait_for(group.freeze(), 5)
    group.thaw()
    output, _ = await asyncio.to_thread(process.communicate)
    assert output == b"1\n"


def test_limits_hold(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    apply(Limits(memory=48 * MIB, memory_swap=48 * MIB), group.places, fresh=True)
    assert start(f"bytearray({8 * MIB})").wait() == 0
    assert stats.oom_kills(group.places) == 0
    assert start(f"bytearray({96 * MIB})").wait() == -signal.SIGKILL
    assert stats.oom_kills(group.places) == 1
    assert stats.memory(group.places).limit == 48 * MIB


def test_limits_change_up_and_down(group: Group) -> None:
    for memory in (64, 256, 32):
        limits = Limits(memory=memory * MIB, memory_swap=2 * memory * MIB, cpu_quota=memory * 1000, cpu_period=50_000)
        apply(limits, group.places, fresh=False)
        assert stats.memory(group.places).limit == memory * MIB
    apply(Limits(), group.places, fresh=False)
    assert stats.memory(group.places).limit > 256 * MIB


def test_pids_limit_and_count(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    apply(Limits(pids=1), group.places, fresh=True)
    process = start("import os; os.fork()")
    assert process.wait() == 1
    assert stats.pids(group.places) == stats.Pids(0, 1)


def test_cpu_time_is_counted(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    start("sum(range(3000000))").wait()
    counted = stats.cpu(group.places)
    assert 5_000_000 < counted.total < 60_000_000_000
    assert counted.user > 0


def test_a_quota_throttles(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    apply(Limits(cpu_quota=1000, cpu_period=100_000), group.places, fresh=True)
    process = start("while True: pass")
    while not stats.cpu(group.places).throttled_periods:  # a busy machine gives it its share late
        assert process.poll() is None
        time.sleep(0.02)


def test_a_cpuset_binds(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    apply(Limits(cpuset_cpus="0"), group.places, fresh=True)
    process = start()
    assert os.sched_getaffinity(process.pid) == {0}


def test_a_cpu_that_is_not_there_is_refused(group: Group) -> None:
    with pytest.raises(Refused) as refusal:
        apply(Limits(cpuset_cpus="100000"), group.places, fresh=True)
    assert refusal.value.limit == "cpuset_cpus"


def test_a_device_that_is_not_there_is_refused(group: Group) -> None:
    with pytest.raises((Refused, Unenforceable)) as refusal:
        apply(Limits(blkio_read_bps=(DeviceValue(4000, 1, MIB),)), group.places, fresh=True)
    assert refusal.value.limit == "blkio_read_bps"


def test_a_parent_with_processes_of_its_own_is_refused(tmp_path: Path) -> None:
    hierarchies = discover()
    if not hierarchies.controllers:
        pytest.skip("the v2 tree here has no controllers")
    parent = f"test-parent-{os.getpid()}"
    directory = Path(hierarchies.unified, parent)
    directory.mkdir()
    process = subprocess.Popen(["sleep", "60"])
    try:
        (directory / "cgroup.procs").write_text(str(process.pid))
        with pytest.raises(Unavailable, match="holds processes"):
            Instance(hierarchies, "x", parent).group("z1").create()
    finally:
        process.kill()
        process.wait()
        directory.rmdir()


def test_nothing_is_left_below_a_foreign_parent() -> None:
    hierarchies = discover()
    parents = [Path(root, f"test-parent-{os.getpid()}") for root in hierarchies.roots]
    instance = Instance(hierarchies, "x", parents[0].name)
    for parent in parents:
        parent.mkdir()
    try:
        first, second = instance.group("z1"), instance.group("z2")
        first.create()
        second.create()
        first.remove()
        assert instance.zones() == {"z2"}
        second.remove()
        assert all((parent / "cgroup.procs").exists() for parent in parents)
    finally:
        for parent in parents:
            parent.rmdir()  # fails if anything is left


def test_a_parent_that_nobody_else_made_goes_with_the_last_zone_there() -> None:
    hierarchies = discover()
    parents = [Path(root, f"test-parent-{os.getpid()}") for root in hierarchies.roots]
    instances = [Instance(hierarchies, "x", f"{parents[0].name}/{inner}") for inner in ("a/b", "a", "c")]
    groups = [instance.group("z1") for instance in instances]
    for group in groups:
        group.create()
    groups[0].remove()
    assert all((parent / "a").is_dir() and not (parent / "a/b").exists() for parent in parents)
    groups[1].remove()
    assert all((parent / "c").is_dir() and not (parent / "a").exists() for parent in parents)
    groups[2].remove()
    assert not any(parent.exists() for parent in parents)


def test_devices_are_filtered(group: Group, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    program = bpf_device.load([bpf_device.Rule("c", 1, 3), bpf_device.Rule("c", 1, 5, "r")])
    bpf_device.attach(program, group.part(Part.ZONE))
    os.close(program)
    process = start(
        "import os\n"
        "for path, mode in (('null', 2), ('zero', 0), ('zero', 2), ('full', 0)):\n"
        "    try: os.open('/dev/' + path, mode); print('yes')\n"
        "    except PermissionError: print('no')"
    )
    assert process.communicate()[0].split() == [b"yes", b"yes", b"no", b"no"]
