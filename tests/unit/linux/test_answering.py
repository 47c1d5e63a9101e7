"""What the fork server loads for its jobs is copied by each fork, so it must stay small."""

from __future__ import annotations

import subprocess
import sys

import pytest

JOBS = (
    "zonehost.drivers.builds.jobs",
    "zonehost.drivers.files.jobs",
    "zonehost.drivers.layers.jobs",
    "zonehost.drivers.runtime.birth",
    "zonehost.drivers.runtime.exec_job",
    "zonehost.drivers.runtime.top_job",
)


@pytest.mark.parametrize("module", JOBS)
def test_no_job_loads_an_event_loop(module: str) -> None:
    program = f"import sys, {module}; print('asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
