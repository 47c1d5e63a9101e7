"""What the options of a volume say that it is."""

from __future__ import annotations

import pytest

from zonehost.domain.volume import HostFolder, ImageFile, host_folder, image_file


@pytest.mark.parametrize("options", [None, {}, {"size": "1G"}, {"from": "data"}, {"type": "image", "device": "/f"}])
def test_what_is_no_folder_of_the_host(options: dict[str, str] | None) -> None:
    assert host_folder(options) is None


@pytest.mark.parametrize(
    ("how", "folder"),
    [
        ("bind", HostFolder(device="/srv")),
        ("bind,ro", HostFolder(device="/srv", readonly=True)),
        ("rw,rbind", HostFolder(device="/srv", recursive=True)),
    ],
)
@pytest.mark.parametrize("kind", ["none", "bind", ""])
def test_a_folder_of_the_host(kind: str, how: str, folder: HostFolder) -> None:
    """The kernel reads no type where it binds (mount(2))."""
    options = {"type": kind, "o": how, "device": "/srv"}
    assert host_folder(options) == folder
    assert image_file(options) is None


def test_an_image_file() -> None:
    assert image_file({"type": "image", "device": "/f", "ro": ""}) == ImageFile(device="/f", readonly=True)
