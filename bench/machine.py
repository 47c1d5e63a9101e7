"""What machine the figures are of."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path


def description() -> str:
    """One paragraph: processor, memory, kernel, cgroups, distribution, versions."""
    processor = _first(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(_first(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())) / (1 << 20)
    cgroups = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "hybrid"
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    programs = ", ".join(_version(name) for name in ("podman", "crun", "conmon"))
    return (
        f"{os.cpu_count()} cores of {processor}, {memory:.0f} GiB of memory; {system}, Linux {platform.release()}, "
        f"cgroups {cgroups}; Python {platform.python_version()}, {_version('docker')} (client), "
        f"{_version('dockerd')} (daemon), {programs}."
    )


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1].strip() if found else "unknown"
