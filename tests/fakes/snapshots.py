"""Snapshots of datasets that hold one text each."""

from __future__ import annotations

import os
from collections.abc import Sequence

from zonehost.domain.frames import CUT, HEADING_SIZE, Damaged, Kind, frame, parse_heading
from zonehost.domain.sending import Position
from zonehost.domain.snapshot import Dataset
from zonehost.ports.snapshots import Intake, PathChange

_BEGIN = Position()


class MemorySnapshots:
    """`content` is what each dataset holds now, `held` what it held in each snapshot."""

    def __init__(self) -> None:
        self.content: dict[Dataset, str] = {}
        self.held: dict[str, dict[Dataset, str]] = {}

    async def with_children(self, datasets: Sequence[Dataset]) -> tuple[Dataset, ...]:
        return ()

    async def take(self, snapshot: str, datasets: Sequence[Dataset]) -> None:
        self.held[snapshot] = {dataset: self.content.get(dataset, "") for dataset in datasets}

    async def restore(self, snapshot: str, datasets: Sequence[Dataset]) -> None:
        self.content.update({dataset: self.held[snapshot][dataset] for dataset in datasets})

    async def clone(self, snapshot: str, source: Dataset, target: Dataset, *, quota: int = 0, zone: str = "") -> None:
        self.content[target] = (self.held[snapshot] if snapshot else self.content).get(source, "")

    async def compare(self, snapshot: str, other: str, dataset: Dataset) -> tuple[PathChange, ...]:
        later = self.held[other] if other else self.content
        same = self.held[snapshot].get(dataset, "") == later.get(dataset, "")
        return () if same else (PathChange("/text", "changed"),)

    async def remove(self, snapshot: str) -> None:
        self.held.pop(snapshot, None)

    async def send(
        self,
        snapshot: str,
        datasets: Sequence[Dataset],
        output: int,
        *,
        base: str = "",
        prologue: bytes = b"",
        position: Position = _BEGIN,
    ) -> None:
        os.write(output, prologue)
        for number in range(position.dataset, len(datasets)):
            text = self.held[snapshot][datasets[number]].encode()
            for kind, body in ((Kind.DATASET, str(number).encode()), (Kind.DATA, text), (Kind.END, b"")):
                os.write(output, frame(kind, body))
        os.write(output, frame(Kind.DONE))

    async def measure(self, snapshot: str, datasets: Sequence[Dataset], base: str = "") -> int:
        return sum(len(self.held[snapshot][dataset]) for dataset in datasets)

    async def receive(
        self,
        transfer: str,
        source: int,
        bases: Sequence[tuple[str, Dataset] | None],
        position: Position = _BEGIN,
    ) -> Intake:
        """Continues at the last dataset that was not whole."""
        number = position.dataset
        try:
            while number < len(bases):
                _next(source, Kind.DATASET)
                text = _next(source, Kind.DATA)
                _next(source, Kind.END)
                self.held.setdefault(transfer, {})[Dataset("volume", str(number))] = text.decode()
                number += 1
            _next(source, Kind.DONE)
        except Damaged as error:
            return Intake(Position(number), str(error))
        return Intake(Position(number), "")

    async def transfers(self) -> frozenset[str]:
        return frozenset()

    async def publish(self, transfer: str, snapshot: str, datasets: Sequence[Dataset]) -> None:
        received = self.held.pop(transfer)
        self.held[snapshot] = dict(zip(datasets, received.values(), strict=True))

    async def give_up(self, transfer: str) -> None:
        self.held.pop(transfer, None)

    async def survey(self) -> frozenset[str]:
        return frozenset(self.held)

    async def bases(self) -> frozenset[str]:
        return frozenset()

    async def begin_base(self, key: str) -> str:
        return f"/pool/bases/{key}"

    async def finish_base(self, key: str) -> None:
        pass

    async def clone_base(self, key: str, volume: str, *, quota: int = 0, zone: str = "") -> None:
        self.content[Dataset("volume", volume)] = key

    async def remove_base(self, key: str) -> None:
        pass


def _next(source: int, kind: Kind) -> bytes:
    heading = parse_heading(_read(source, HEADING_SIZE), kind)
    body = _read(source, heading.size)
    heading.check(body)
    return body


def _read(source: int, size: int) -> bytes:
    data = os.read(source, size) if size else b""
    if len(data) < size:
        raise Damaged(CUT)
    return data
