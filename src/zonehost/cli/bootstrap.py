"""`zonehost bootstrap`: makes a base image from Debian's packages and hands it to the daemon."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator
from urllib.parse import urlencode

from zonehost.cli import recipes
from zonehost.cli.endpoint import Endpoint
from zonehost.errors import InvalidParameter

MEGABYTE = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is to be made, of what, and its name."""
    parser.add_argument("image", metavar="busybox|debian[:SUITE]", help="what to make; the suite: this host's own")
    parser.add_argument("--include", action="append", default=[], metavar="PACKAGE[,PACKAGE]", help="repeatable")
    parser.add_argument("--tag", metavar="NAME[:TAG]", help="the image's name (default: as it was asked for)")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")


def run(options: argparse.Namespace) -> int:
    """Make the image and print its id."""
    kind, _, suite = options.image.partition(":")
    packages = [package for group in options.include for package in group.split(",") if package]
    with _Progress() as progress:
        if kind == "busybox" and not suite and not packages:
            archive, changes = recipes.busybox(progress.say), recipes.BUSYBOX_CHANGES
        elif kind == "debian":
            suite = suite or platform.freedesktop_os_release()["VERSION_CODENAME"]
            archive, changes = recipes.debian(suite, packages, progress.say), recipes.DEBIAN_CHANGES
        else:
            raise InvalidParameter(f'"{options.image}": only busybox (as it is) and debian[:SUITE] can be made')
        repository, tag = split_name(options.tag or options.image)
        message = f"zonehost bootstrap {' '.join([options.image, *packages])}"
        query = [("fromSrc", "-"), ("repo", repository), ("tag", tag), ("message", message)]
        query += [("changes", change) for change in changes]
        path = f"/images/create?{urlencode(query)}"
        documents = list(Endpoint(options.host).post(path, progress.counted(archive)))
    print(documents[-1]["status"])
    return 0


def split_name(name: str) -> tuple[str, str]:
    """Repository and tag; a colon before a slash is a registry's port."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


class _Progress:
    """One line that moves on a terminal; one line a step elsewhere. All of it on standard error."""

    def __enter__(self) -> _Progress:
        self._bytes = 0
        self._is_terminal = sys.stderr.isatty()
        if self._is_terminal:
            from rich.console import Console

            self._status = Console(stderr=True).status("")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal:
            self._status.stop()

    def say(self, text: str) -> None:
        """Show what is being done."""
        if self._is_terminal:
            self._status.update(text)
        elif not text.endswith("..."):
            print(text, file=sys.stderr, flush=True)

    def counted(self, archive: Iterator[bytes]) -> Iterator[bytes]:
        """The archive, while its size is shown."""
        for chunk in archive:
            before, self._bytes = self._bytes, self._bytes + len(chunk)
            if before // (10 * MEGABYTE) != self._bytes // (10 * MEGABYTE) and self._is_terminal:
                self._status.update(f"{self._bytes // MEGABYTE} MB sent to the daemon")
            yield chunk
        self.say(f"{self._bytes / MEGABYTE:.1f} MB sent; the daemon makes the image")
