"""Kernel settings by name, and names that lead elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from zonehost.linux import sysctl


def test_a_setting_is_read_by_its_dotted_name() -> None:
    assert sysctl.read("kernel.ostype") == "Linux"
    assert sysctl.known("kernel.ostype")


@pytest.mark.parametrize("up", ["//", "/", ""])
def test_no_name_leads_out_of_the_settings(tmp_path: Path, up: str) -> None:
    """A slash stands for a dot, so two of them would be the folder above."""
    canary = tmp_path / "canary"
    canary.write_text("untouched")
    way = ".".join(part.replace(".", "/") for part in canary.parts[1:])
    name = f"net.{up}.{up}.{up}.{up}.{way}"
    with pytest.raises(FileNotFoundError, match="no such setting"):
        sysctl.write(name, "changed")
    with pytest.raises(FileNotFoundError, match="no such setting"):
        sysctl.read(name)
    assert canary.read_text() == "untouched"
