"""Takes in a layer's archive in one pass: files, skeleton and digest."""

from __future__ import annotations

from collections.abc import Iterable

from zonehost.drivers.layers.staging import Facts, Staging
from zonehost.errors import InvalidParameter
from zonehost.tar.compression import plain
from zonehost.tar.digest import Digester
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.source import Source


def unpack(chunks: Iterable[bytes], folder: str, bounds: Bounds, diff_id: str | None = None) -> Facts:
    """Unpack an archive, compressed or not, into the new folder of a layer; the process's umask is to be 0.

    Raises:
        InvalidParameter: not an archive, hostile, past the bounds, or not of this diff id; nothing remains.
        OSError: the disk or the kernel failed; nothing remains.
    """
    digester = Digester()
    with Staging(folder) as staging:
        reader = Reader(Source(digester.watch(plain(chunks))), bounds, staging.note)
        for member in reader:
            staging.add(member, reader.content())
        found = digester.finish()
        if diff_id not in (None, found):
            raise InvalidParameter(f"the layer is {found}, not {diff_id}")
        return staging.finish(found, digester.size)
