"""The clock of the daemon, while somebody sets that of the machine."""

from __future__ import annotations

from zonehost.drivers.clock import SystemClock

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Machine:
    """A wall clock that can be set, and the time that passes."""

    def __init__(self) -> None:
        self.wall = 1000 * HOUR
        self.passed = 5 * SECOND
        self.clock = SystemClock(lambda: self.wall, lambda: self.passed)

    def wait(self, nanoseconds: int) -> int:
        self.wall += nanoseconds
        self.passed += nanoseconds
        return self.clock.now()


def test_it_tells_what_the_wall_clock_tells() -> None:
    machine = Machine()
    assert machine.clock.now() == 1000 * HOUR
    assert machine.wait(SECOND) == 1000 * HOUR + SECOND


def test_no_two_moments_are_one() -> None:
    machine = Machine()
    assert len({machine.clock.now() for _ in range(3)}) == 3


def test_time_goes_on_where_the_wall_clock_is_set_back() -> None:
    machine = Machine()
    began = machine.clock.now()
    machine.wall -= 10 * HOUR
    assert machine.wait(60 * SECOND) == began + 60 * SECOND
    assert machine.wait(60 * SECOND) == began + 120 * SECOND
    assert machine.wait(11 * HOUR) > began + 11 * HOUR


def test_it_follows_a_wall_clock_that_is_set_forward() -> None:
    machine = Machine()
    began = machine.clock.now()
    machine.wall += 10 * HOUR
    assert machine.wait(SECOND) == began + 10 * HOUR + SECOND


def test_a_pause_between_two_looks_does_not_put_it_ahead() -> None:
    wall = iter((100, 110, 120))
    passing = iter((0, 50, 60, 70))
    clock = SystemClock(lambda: next(wall), lambda: next(passing))
    assert [clock.now(), clock.now(), clock.now()] == [100, 110, 120]
