"""What clients that race have in common: random work, every answer of which is one that may be."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from tests.integration.reliability.client import Answer, Local
from tests.integration.rig import Daemon


class Tally:
    """What all racers count together, under one lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls = 0
        self.odd: list[str] = []


class Racer(ABC):
    """One client. Its number is the seed of its dice."""

    def __init__(self, daemon: Daemon, tally: Tally, number: int, calls: int) -> None:
        self._http = Local(daemon)
        self._tally = tally
        self._dice = random.Random(number)
        self._calls = calls

    @abstractmethod
    def work(self) -> Sequence[Callable[[], None]]:
        """What it may do next, the likelier the oftener it is here; asked for once."""

    def run(self) -> None:
        """Make all the calls."""
        work = self.work()
        for _ in range(self._calls):
            self._dice.choice(work)()
        self._http.close()

    def _call(self, method: str, path: str, body: object = None, *, known: tuple[int, ...]) -> Answer:
        answer = self._http.call(method, path, body)
        with self._tally.lock:
            self._tally.calls += 1
            if answer.status not in known:
                self._tally.odd.append(f"{method} {path}: {answer.status} {answer.message}")
        return answer
