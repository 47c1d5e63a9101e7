"""What a daemon without such clients pays: nothing."""

from __future__ import annotations

import subprocess
import sys


def test_the_daemon_starts_without_it() -> None:
    question = (
        "import sys, zonehost.daemon.serve\n"
        "print([name for name in sys.modules if name == 'h2' or name.startswith('zonehost.api.buildkit')])"
    )
    found = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "[]\n"
