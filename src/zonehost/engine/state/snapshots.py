"""All snapshots of the host, and the schedules by which the daemon takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from zonehost.domain.phase import Phase
from zonehost.domain.sending import Partial
from zonehost.domain.snapshot import Dataset, Schedule, Snapshot
from zonehost.engine.state.bell import Bell
from zonehost.errors import Conflict, NotFound


class Snapshots:
    """Iterates in the order of creation. A name is taken, for its dataset, from the moment its snapshot is put in."""

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._schedules: dict[Dataset, Schedule] = {}
        self._partials: dict[str, Partial] = {}
        self.bases = asyncio.Lock()
        """Held while a base is made or removed."""
        self.changed: Bell[None] = Bell()
        """Rings when a date has come or gone that the daemon has to keep."""

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(tuple(self._snapshots.values()))

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """All of them."""
        return tuple(self._schedules.values())

    def get(self, snapshot_id: str) -> Snapshot | None:
        """By id, half-made ones too."""
        return self._snapshots.get(snapshot_id)

    def find(self, of: Dataset, name: str) -> Snapshot:
        """By its dataset and name.

        Raises:
            NotFound: there is none that is whole.
        """
        for snapshot in self._snapshots.values():
            if snapshot.of == of and snapshot.name == name and snapshot.phase is Phase.WHOLE:
                return snapshot
        raise NotFound(f"no such snapshot: {name} of {of}")

    def of(self, dataset: Dataset) -> tuple[Snapshot, ...]:
        """Those of one dataset, half-made ones too."""
        return tuple(snapshot for snapshot in self._snapshots.values() if snapshot.of == dataset)

    def check_name(self, of: Dataset, name: str) -> None:
        """Whether the name is free. Raises Conflict if it is not."""
        if any(snapshot.name == name for snapshot in self.of(of)):
            raise Conflict(f"there is a snapshot {name} of {of} already")

    def put(self, snapshot: Snapshot) -> None:
        """Take in a snapshot, or its new record."""
        self._snapshots[snapshot.id] = snapshot
        self.changed.ring(None)

    def drop(self, snapshot_id: str) -> None:
        """Forget a snapshot. Idempotent."""
        self._snapshots.pop(snapshot_id, None)

    def plan(self, schedule: Schedule) -> None:
        """Take in a schedule, or its new record."""
        self._schedules[schedule.of] = schedule
        self.changed.ring(None)

    def unplan(self, dataset: Dataset) -> Schedule | None:
        """Forget the schedule of a dataset, if it has one."""
        return self._schedules.pop(dataset, None)

    @property
    def partials(self) -> tuple[Partial, ...]:
        """Transfers that were cut and can be continued; those that just are being continued are not among them."""
        return tuple(self._partials.values())

    def keep(self, partial: Partial) -> None:
        """Take in a transfer that was cut."""
        self._partials[partial.id] = partial
        self.changed.ring(None)

    def take_partial(self, transfer: str) -> Partial:
        """Out of the register: whoever has it, and nobody else, may continue it or throw it away.

        Raises:
            NotFound: there is none.
        """
        try:
            return self._partials.pop(transfer)
        except KeyError:
            raise NotFound("there is nothing to be continued: the time for that is over; send it anew") from None
