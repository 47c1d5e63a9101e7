"""Rows of storage: datasets, streams, file work, a database. `BENCH_GB` sets the size of the large ones (default 2)."""

from __future__ import annotations

from bench.rows.storage import cache, database, datasets, files, streams, volumes

GROUPS = (datasets.GROUP, volumes.GROUP, streams.WHOLE, streams.CHANGE, files.GROUP, database.GROUP, cache.GROUP)
