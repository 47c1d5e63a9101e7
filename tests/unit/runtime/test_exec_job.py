"""How little the fork server of execs has in memory: each fork copies the page tables of all of it."""

from __future__ import annotations

import subprocess
import sys


def test_the_job_of_execs_imports_nothing_large() -> None:
    program = f"import sys; sys.path[:] = {sys.path!r}; import zonehost.drivers.runtime.exec_job; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "zonehost.linux.credentials" in loaded
    assert not {"asyncio", "dataclasses", "logging", "msgspec", "threading", "zonehost.domain"} & loaded
