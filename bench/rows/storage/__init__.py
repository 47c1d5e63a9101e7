"""Rows of storage: datasets, streams, file work, a database, at the sizes that were promised or at a `guest.SHARE`."""

from __future__ import annotations

from bench.rows.storage import cache, database, datasets, files, streams, volumes

GROUPS = (datasets.GROUP, volumes.GROUP, streams.WHOLE, streams.CHANGE, files.GROUP, database.GROUP, cache.GROUP)
