"""Rows of networks: what goes through them, and what it takes to make them."""

from __future__ import annotations

from bench.rows.network import bridge, connections, names, throughput, verbs

GROUPS = (throughput.GROUP, connections.ONE, connections.MANY, verbs.GROUP, names.GROUP, bridge.GROUP)
