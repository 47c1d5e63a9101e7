"""`make smoke`: the transcript `smoke.session` against a daemon of its own, without pytest; nothing may be left."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.integration.rig import Daemon
from tests.integration.session import parse, run

SESSION = Path(__file__).parent / "sessions" / "smoke.session"


def main() -> int:
    """Run the transcript step by step and print each; the exit status."""
    daemon = Daemon.make()
    failed = 0
    daemon.start()
    try:
        daemon.zonehost("bootstrap", "busybox")
        with tempfile.TemporaryDirectory() as scratch:
            for step in parse(SESSION.read_text()):
                failures = run([step], daemon.environment, Path(scratch))
                print("FAILED" if failures else "ok    ", step.command, flush=True)
                print(*failures, sep="\n", end="")
                failed += len(failures)
    finally:
        daemon.close()
    print(f"{len(parse(SESSION.read_text())) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
