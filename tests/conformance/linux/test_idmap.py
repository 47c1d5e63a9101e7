"""Leases of host ids: each range to one holder, and back with the holder's end."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from zonehost.errors import Unavailable
from zonehost.linux import idmap


def test_no_two_leases_are_of_the_same_range(tmp_path: Path) -> None:
    leases = [idmap.lease(str(tmp_path / "ids")) for _ in range(200)]
    firsts = {lease.first for lease in leases}
    assert len(firsts) == 200
    assert all((first - idmap.FIRST) % idmap.COUNT == 0 for first in firsts)
    assert min(firsts) >= idmap.FIRST
    for lease in leases:
        os.close(lease.fd)


def test_where_a_lease_begins_is_not_inherited_by_a_fork(tmp_path: Path) -> None:
    """Children of one process, all with its generator as it was, do not try the same ranges one after another."""
    firsts = set()
    for number in range(5):
        random.seed(0)
        lease = idmap.lease(str(tmp_path / f"ids{number}"))
        firsts.add(lease.first)
        os.close(lease.fd)
    assert len(firsts) > 1


def test_a_lease_ends_with_its_last_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "ids")
    lease = idmap.lease(path, start=5)
    heir = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lease.fd])
    os.close(lease.fd)
    other = idmap.lease(path, start=5)
    assert other.first == lease.first + idmap.COUNT
    heir.communicate(b"\n")
    again = idmap.lease(path, start=5)
    assert again.first == lease.first
    os.close(other.fd)
    os.close(again.fd)


def test_the_last_range_is_followed_by_the_first(tmp_path: Path) -> None:
    path = str(tmp_path / "ids")
    last, first = idmap.lease(path, start=idmap.RANGES - 1), idmap.lease(path, start=idmap.RANGES - 1)
    assert first.first == idmap.FIRST
    assert last.first + idmap.COUNT <= 2_147_352_576
    os.close(last.fd)
    os.close(first.fd)


def test_when_all_is_lent_there_is_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idmap, "RANGES", 2)
    path = str(tmp_path / "ids")
    leases = [idmap.lease(path), idmap.lease(path)]
    with pytest.raises(Unavailable, match="all 2 ranges of host ids are in use"):
        idmap.lease(path)
    for lease in leases:
        os.close(lease.fd)
