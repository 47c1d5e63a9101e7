"""Fixtures of the reliability tests: how long they are, and where their figures go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.rig import Daemon

MakeDaemon = Callable[..., Daemon]


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """Picks a number of rounds: the first in `make test`, the second in `make reliability`."""
    is_long = bool(request.config.getoption("--long"))
    return lambda short, long: long if is_long else short


@pytest.fixture
def own(new_daemon: MakeDaemon) -> Daemon:
    """A daemon of the test's own, with the image `busybox`, that has made what it makes for its first zone."""
    daemon = new_daemon()
    daemon.zonehost("bootstrap", "busybox")
    daemon.docker("run", "--rm", "busybox", "true")
    return daemon


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    """Takes a figure for docs/reliability.md; it is shown with the test's result."""
    return record_property
