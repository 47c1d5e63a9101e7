"""Snapshots of datasets that hold one text each."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence

from zonehost.domain.snapshot import Dataset
from zonehost.ports.snapshots import PathChange


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

    def send(self, snapshot: str, dataset: Dataset, base: str = "") -> AsyncIterator[bytes]:
        return self._bytes(self.held[snapshot][dataset])

    async def receive(
        self, transfer: str, number: int, source: AsyncIterable[bytes], base: tuple[str, Dataset] | None = None
    ) -> None:
        text = b"".join([chunk async for chunk in source]).decode()
        self.held.setdefault(transfer, {})[Dataset("volume", str(number))] = text

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

    async def _bytes(self, text: str) -> AsyncIterator[bytes]:
        yield text.encode()
