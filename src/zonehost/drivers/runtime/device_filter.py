"""Which devices a zone may use, put into effect: one loaded program for all zones that have the same rules."""

from __future__ import annotations

import os

from zonehost.domain.blueprint import Blueprint
from zonehost.drivers.runtime.spec_devices import DEFAULT_RULES, passed, rules
from zonehost.linux import bpf_device
from zonehost.linux.cgroup_group import Group, Part


class DeviceFilter:
    """Keeps the program of the usual rules loaded: to load one takes a millisecond, to attach it no time."""

    def __init__(self) -> None:
        self._usual: int | None = None

    def apply(self, blueprint: Blueprint, group: Group) -> None:
        """Let the zone's processes use their devices only; a privileged zone may use all.

        Raises:
            InvalidParameter: a device or a rule is wrong, in Docker's words.
        """
        if blueprint.privileged:
            return
        wanted = rules(passed(blueprint), blueprint.device_rules)
        if wanted == DEFAULT_RULES:
            if self._usual is None:
                self._usual = bpf_device.load(DEFAULT_RULES)
            bpf_device.attach(self._usual, group.part(Part.ZONE))
            return
        loaded = bpf_device.load(wanted)
        try:
            bpf_device.attach(loaded, group.part(Part.ZONE))
        finally:
            os.close(loaded)
