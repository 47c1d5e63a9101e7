from __future__ import annotations

import os
from pathlib import Path

import pytest

from zonehost.domain.blueprint import Device
from zonehost.drivers.runtime.spec_devices import DEFAULT_RULES, Node, host_nodes, nodes, rules
from zonehost.errors import InvalidParameter
from zonehost.linux.bpf_device import Rule


def test_a_device_under_another_name() -> None:
    (node,) = nodes([Device(source="/dev/null", destination="/dev/nothing", permissions="r")])
    status = Path("/dev/null").stat()
    assert node == Node("/dev/nothing", "c", 1, 3, 0o666, status.st_uid, status.st_gid, "r")
    assert node.rule == Rule("c", 1, 3, "r")


def test_a_missing_device() -> None:
    words = 'adding custom device "/dev/nosuch": no such file or directory'
    with pytest.raises(InvalidParameter, match=words):
        nodes([Device(source="/dev/nosuch", destination="/dev/nosuch")])


def test_what_is_no_device(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for source in (tmp_path, tmp_path / "file"):
        with pytest.raises(InvalidParameter, match="not a device node"):
            nodes([Device(source=str(source), destination="/dev/x")])


def test_a_folder_stands_for_its_devices() -> None:
    if not Path("/dev/net/tun").exists():
        pytest.skip("no /dev/net/tun here")
    assert "/dev/n/tun" in [node.destination for node in nodes([Device(source="/dev/net", destination="/dev/n")])]


def test_all_host_devices() -> None:
    found = {node.destination: node for node in host_nodes()}
    assert (found["/dev/null"].major, found["/dev/null"].minor) == (1, 3)
    assert not [path for path in found if path.startswith(("/dev/pts/", "/dev/shm/"))]
    assert "/dev/console" not in found
    assert all(os.path.lexists(path) for path in found)


def test_rules() -> None:
    passed = [Node("/dev/x", "b", 8, 1, 0o600, 0, 0, "rw")]
    assert rules(passed, ["c 1:3 rwm", "a *:* r", "b 8:* m"]) == (
        *DEFAULT_RULES,
        Rule("b", 8, 1, "rw"),
        Rule("c", 1, 3, "rwm"),
        Rule("a", None, None, "r"),
        Rule("b", 8, None, "m"),
    )


@pytest.mark.parametrize("text", ["", "c 1:3", "d 1:3 r", "c 1 r", "c 1:3 x", "c 1:3 rwmr", "c -1:3 r", "c 1:3 r\n"])
def test_a_badly_written_rule(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid device cgroup rule format"):
        rules([], [text])
