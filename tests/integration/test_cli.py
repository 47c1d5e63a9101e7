"""The real `docker` command against zonehost: every transcript in `sessions/` must come out as it is written.

The transcripts were made with Docker itself; `python -m tests.integration.session` runs them there again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.rig import Daemon
from tests.integration.session import invocations, parse, run

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.session"))


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_session(session: Path, daemon: Daemon, tmp_path: Path) -> None:
    failures = run(parse(session.read_text()), daemon.environment, tmp_path)
    assert not failures, f"{len(failures)} steps of {session.name}:\n" + "\n\n".join(failures)


def test_the_sessions_call_docker_often_enough() -> None:
    assert sum(invocations(parse(session.read_text())) for session in SESSIONS) >= 120
