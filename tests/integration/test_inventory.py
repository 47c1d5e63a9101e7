"""The inventory must be able to find each kind of thing, or every test that relies on it proves nothing."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.inventory import Instance, datasets, holdings


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    roots = Instance(f"inventory-{tmp_path.name}", tmp_path / "data", tmp_path / "run")
    for folder in (roots.data_root, roots.run_root):
        folder.mkdir()
    return roots


@pytest.fixture
def cgroup(instance: Instance) -> Iterator[Path]:
    for top in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        if (top / "cgroup.controllers").exists():
            path = top / instance.cgroup / "abc"
            break
    path.mkdir(parents=True)
    yield path
    path.rmdir()
    path.parent.rmdir()


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_an_absent_instance_holds_nothing(instance: Instance) -> None:
    assert holdings(instance) == []
    assert datasets(instance) == []


def test_finds_a_cgroup_and_the_process_in_it(instance: Instance, cgroup: Path) -> None:
    process = subprocess.Popen(["sleep", "60"])
    (cgroup / "cgroup.procs").write_text(str(process.pid))
    found = holdings(instance)
    process.kill()
    process.wait()
    assert f"cgroup {cgroup}" in found
    assert f"process {process.pid}: sleep 60" in found


def test_finds_a_process_by_its_arguments(instance: Instance) -> None:
    with subprocess.Popen(["sh", "-c", "read x", str(instance.run_root)], stdin=subprocess.PIPE) as reader:
        assert any(line.startswith(f"process {reader.pid}:") for line in holdings(instance))


def test_finds_a_mount_in_another_namespace(instance: Instance) -> None:
    script = 'mount -t tmpfs none "$1" && echo ready && cat'
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(instance.data_root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert any(line.startswith("mount in mnt:") for line in holdings(instance))
        process.communicate()


def test_finds_a_link(instance: Instance) -> None:
    name = instance.link_prefixes[0] + "x"
    run("ip", "link", "add", name, "type", "bridge")
    found = holdings(instance)
    run("ip", "link", "delete", name)
    assert f"link {name}" in found


def test_finds_a_table(instance: Instance) -> None:
    run("nft", "add", "table", "inet", instance.table)
    found = holdings(instance)
    run("nft", "delete", "table", "inet", instance.table)
    assert f"nft table inet {instance.table}" in found


def test_finds_a_loop_device(instance: Instance) -> None:
    image = instance.data_root / "pool"
    image.write_bytes(bytes(1 << 20))
    device = run("losetup", "--find", "--show", str(image))
    found = holdings(instance)
    run("losetup", "--detach", device)
    assert f"loop device {Path(device).name}: {image}" in found


def test_finds_a_socket(instance: Instance) -> None:
    path = instance.run_root / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert f"unix socket {path}" in holdings(instance)


def test_finds_a_dataset(instance: Instance) -> None:
    (instance.data_root / "zones" / "abc").mkdir(parents=True)
    assert datasets(instance) == ["zones/abc"]
