"""Datasets that came from elsewhere, and what in them would lead the daemon out of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zonehost.drivers.storage.btrfs import shape
from zonehost.linux.btrfs_stream import BadStream


def look(root: Path) -> None:
    descriptor = os.open(root, os.O_RDONLY)
    try:
        shape.check(descriptor)
    finally:
        os.close(descriptor)


def test_volumes_and_zones_are_as_they_should_be(tmp_path: Path) -> None:
    """What is in a volume's content, or in a zone's root, is looked at by those who use it."""
    volume, zone = tmp_path / "volume", tmp_path / "zone"
    (volume / "_data").mkdir(parents=True)
    (volume / "_data/link").symlink_to("/etc")
    for part in ("root/upper", "root/work", "etc", "log"):
        (zone / part).mkdir(parents=True)
    (zone / "root/upper/link").symlink_to("/etc")
    for name in ("etc/hosts", "log/ctr.log"):
        (zone / name).touch()
    look(volume)
    look(zone)


@pytest.mark.parametrize("name", ["_data", "root", "root/upper", "root/work", "etc", "log", "etc/hosts", "log/ctr.log"])
def test_a_link_in_the_place_of_what_the_daemon_opens_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to(tmp_path)
    with pytest.raises(BadStream, match="is no"):
        look(tmp_path)


@pytest.mark.parametrize("name", ["_data", "root/work", "etc/hosts"])
def test_so_is_something_else(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(BadStream, match="is no"):
        look(tmp_path)
