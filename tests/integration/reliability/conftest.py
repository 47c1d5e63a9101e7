"""Fixtures of the reliability tests: how long they are, and where their figures go.

A module says by `pytestmark = pytest.mark.row(N)` of which row of docs/reliability.md its tests are. The figures are
shown at the end; those of full length go into the documents.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.reliability import figures
from tests.integration.reliability.figures import Figure, Found, Row
from tests.integration.rig import Daemon, daemon_with_busybox

MakeDaemon = Callable[..., Daemon]
ROWS = pytest.StashKey[dict[int, Row]]()
BEGAN = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "row(number): the row of docs/reliability.md that the test gives figures for")
    config.stash[ROWS] = defaultdict(Row)
    config.stash[BEGAN] = time.monotonic()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Gather figures, failures and seconds of the row."""
    outcome = yield
    marker = item.get_closest_marker("row")
    if marker is None:
        return
    report = outcome.get_result()
    row = item.config.stash[ROWS][marker.args[0]]
    row.tests.add(item.nodeid)
    row.seconds += report.duration
    if report.failed:
        row.failed.add(item.nodeid)
    if report.when == "call":
        for name, found in item.user_properties:
            assert isinstance(found, tuple)
            row.add(name, Found(*found))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash[ROWS]
    if not rows:
        return
    terminalreporter.section("figures")
    for line in figures.lines(rows):
        terminalreporter.line(line)
    if config.getoption("--long"):
        whole = rows.keys() == figures.TITLES.keys() and not config.getoption("keyword")
        figures.keep(rows, time.monotonic() - config.stash[BEGAN] if whole else None)


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
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Takes a figure of the test's row; of several tests the largest counts, or with `fold="sum"` the sum."""
    return lambda name, value, fold="max": record_property(name, (value, fold))


@pytest.fixture(scope="session")
def daemon_of_points() -> Iterator[Daemon]:
    """One daemon for all points at which something dies; at the end nothing of it may be left."""
    with daemon_with_busybox() as daemon:
        yield daemon


@pytest.fixture
def swept(daemon_of_points: Daemon) -> Iterator[Daemon]:
    """The daemon of all points, with nothing in it but the image."""
    yield daemon_of_points
    if daemon_of_points.process is None or daemon_of_points.process.poll() is not None:
        daemon_of_points.start()
    daemon_of_points.remove_zones()


@pytest.fixture(scope="session")
def archives(daemon_of_points: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `work.commands` needs: an archive of files, one of an image that nobody has, and the context of a build."""
    folder = tmp_path_factory.mktemp("archives")
    (folder / "context").mkdir()
    (folder / "context" / "Dockerfile").write_text("FROM busybox\nRUN echo made > /made\n")
    daemon_of_points.docker("create", "--name", "source", "--label", "made=elsewhere", "busybox")
    daemon_of_points.docker("export", "-o", str(folder / "tree.tar"), "source")
    daemon_of_points.docker("commit", "source", "elsewhere")
    daemon_of_points.docker("save", "-o", str(folder / "image.tar"), "elsewhere")
    daemon_of_points.docker("rmi", "elsewhere")
    daemon_of_points.docker("rm", "source")
    return folder
