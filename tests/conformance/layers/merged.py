"""Prints what stacks of layer trees show when they are mounted as an overlay, one `repr` of a picture a line.

usage: merged.py SCRATCH TREES…   where TREES is one stack, its trees lowest first, joined by commas
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.unit.tar.trees import picture
from zonehost.linux import mounts, overlay
from zonehost.linux.scratch import privately

scratch, *stacks = sys.argv[1:]
privately(scratch)
for number, stack in enumerate(stacks):
    place = Path(scratch, str(number))
    for name in ("root", "mounts", "nothing"):
        (place / name).mkdir(parents=True)
    fd = overlay.assemble([f"{place}/nothing", *stack.split(",")], None, scratch=f"{place}/mounts")
    mounts.place(fd, f"{place}/root")
    os.close(fd)
    print(repr(picture(place / "root")))
