"""`python -m bench`: runs groups of rows on each engine in turn and prints one table.

python -m bench                      all rows, all engines
python -m bench single crowd         some groups
python -m bench --keep single        and keep its figures in docs/benchmarks.md
python -m bench --engines zonehost single
python -m bench network              all groups whose names begin so: network-names and the rest
BENCH_SHARE=0.1 python -m bench storage   with a tenth of the data, for a first look
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rich.console import Console

from bench import images, page, report
from bench.engines.docker import Docker
from bench.engines.engine import Engine
from bench.engines.podman import Podman
from bench.engines.run_folder import clear
from bench.engines.zonehost import Zonehost
from bench.rows import builds, commands, crowd, lists, memory, network, registry, single, storage, stream, work
from bench.rows import images as large
from bench.rows.group import Group
from bench.rows.storage.guest import SHARE

ENGINES: tuple[type[Engine], ...] = (Zonehost, Docker, Podman)
GROUPS = {
    group.name: group
    for group in (
        *(module.GROUP for module in (memory, single, commands, crowd, stream, large, lists, registry, work, builds)),
        *network.GROUPS,
        *storage.GROUPS,
    )
}


def main() -> int:
    """Run what the arguments name; 1 where a figure to reach is not reached."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Compare zonehost with Docker and Podman.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    names = [engine.name for engine in ENGINES]
    parser.add_argument("--engines", nargs="+", choices=names, default=names)
    parser.add_argument("--keep", action="store_true", help=f"write the figures to {page.PAGE}")
    parser.add_argument("--runs", type=int, help="samples a row, instead of each group's own number")
    options = parser.parse_args()
    if unknown := [name for name in options.groups if not _named(name)]:
        parser.error(f"no such group: {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    if options.keep and SHARE != 1:
        parser.error("figures are kept of full sizes only: unset BENCH_SHARE")
    groups = [group for name in options.groups for group in _named(name)] or list(GROUPS.values())
    console = Console(width=150)
    with _started([engine() for engine in ENGINES if engine.name in options.engines]) as engines:
        names = [engine.name for engine in engines]
        table: list[report.Figures] = []
        for group in groups:
            figures = _sample(group, engines, options.runs, console)
            if options.keep:
                page.keep(group, figures, names)
                page.draw(GROUPS.values())
            table += figures
        report.show(table, names, console)
    return int(any(figures.is_reached() is False for figures in table))


def _named(name: str) -> list[Group]:
    """The group of that name, or those of that first word."""
    return [group for key, group in GROUPS.items() if key == name or key.startswith(f"{name}-")]


@contextmanager
def _started(engines: Sequence[Engine]) -> Iterator[Sequence[Engine]]:
    with ExitStack() as stack:
        stack.callback(lambda: shutil.rmtree(images.scratch()))
        stack.callback(clear)
        for engine in engines:
            engine.start()
            stack.callback(engine.stop)
            engine.run("import", "--change", f"ENV PATH={images.PATH}", str(images.busybox_tree()), "busybox:latest")
        yield engines


def _sample(group: Group, engines: Sequence[Engine], runs: int | None, console: Console) -> list[report.Figures]:
    table = {row.title: report.Figures(row) for row in group.rows}
    with ExitStack() as stack:
        for engine in engines:
            stack.enter_context(group.scene(engine))
        for run in range(runs or group.runs):
            for engine in engines:
                for title, value in group.measure(engine).items():
                    table[title].samples.setdefault(engine.name, []).append(value)
                    console.print(
                        f"[dim]{run + 1:2}  {engine.name:9} {value:9.2f} {table[title].row.unit:4} {title}[/dim]"
                    )
    return list(table.values())


if __name__ == "__main__":
    sys.exit(main())
