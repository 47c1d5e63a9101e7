"""Fixtures of the tests that run a real daemon. Each test process has an instance of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.rig import Daemon, daemon_with_busybox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def shared_daemon() -> Iterator[Daemon]:
    """The daemon of this test process, with the image `busybox`; at the end nothing of it may be left."""
    with daemon_with_busybox() as daemon:
        yield daemon


@pytest.fixture
def daemon(shared_daemon: Daemon) -> Iterator[Daemon]:
    """The shared daemon; what the test leaves in it is removed."""
    images = shared_daemon.images()
    yield shared_daemon
    shared_daemon.remove_zones()
    shared_daemon.remove_images(shared_daemon.images() - images)


@pytest.fixture
def new_daemon() -> Iterator[Callable[..., Daemon]]:
    """Makes daemons that belong to one test, which may stop, kill and start them as it likes."""

    def make(*options: str) -> Daemon:
        daemon = Daemon.make(*options)
        undo.callback(daemon.close)
        daemon.start()
        return daemon

    with ExitStack() as undo:
        yield make
