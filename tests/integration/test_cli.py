"""The real `docker` command against zonehost: every transcript in `sessions/` must come out as it is written.

The transcripts were made with Docker itself; `python -m tests.integration.session` runs them there again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.rig import Daemon, daemon_with_busybox
from tests.integration.session import invocations, parse, run

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.session"))


ALONE = frozenset({"images", "lists", "system"})
"""Sessions that count all there is on a host."""


@pytest.fixture
def host(session: Path, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """A daemon for the session: the shared one, or one with nothing but the image `busybox`."""
    if session.stem not in ALONE:
        yield request.getfixturevalue("daemon")
        return
    with daemon_with_busybox() as own:
        yield own


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_session(session: Path, host: Daemon, tmp_path: Path) -> None:
    failures = run(parse(session.read_text()), host.environment, tmp_path)
    assert not failures, f"{len(failures)} steps of {session.name}:\n" + "\n\n".join(failures)


def test_the_sessions_call_docker_often_enough() -> None:
    assert sum(invocations(parse(session.read_text())) for session in SESSIONS) >= 120
