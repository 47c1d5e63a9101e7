"""Questions to the kernel by netlink; a look at links needs no rights."""

from __future__ import annotations

import gc

from zonehost.linux import netlink_links as rt
from zonehost.linux.netlink import Channel


def test_a_question_that_the_kernel_refuses_leaves_nothing_to_the_collector() -> None:
    with Channel(rt.ROUTE) as channel:
        gc.collect()
        gc.disable()
        try:
            assert rt.link_named(channel, "no-such-link") is None
            assert gc.collect() == 0
        finally:
            gc.enable()
