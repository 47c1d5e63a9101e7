"""Telling events, with the attributes that Docker gives each kind of thing."""

from __future__ import annotations

from zonehost.domain.container import Container
from zonehost.domain.event import Event
from zonehost.domain.image import Image
from zonehost.domain.network import Network
from zonehost.engine.host import Host


def tell_container(host: Host, record: Container, action: str, **more: str) -> None:
    """Something happened to a container."""
    labels = record.config.labels or {}
    _tell(host, "container", action, record.id, {**labels, **more, "image": record.config.image, "name": record.name})


def tell_image(host: Host, action: str, image: Image, name: str = "") -> None:
    """Something happened to an image; `name` is what it was called in the request, its id if it had none."""
    labels = host.images.config_of(image).run.labels or {}
    _tell(host, "image", action, image.id, {**labels, "name": name or image.id})


def tell_network(host: Host, action: str, network: Network, **more: str) -> None:
    """Something happened to a network."""
    _tell(host, "network", action, network.id, {"name": network.name, "type": network.driver, **more})


def tell_volume(host: Host, action: str, name: str, **more: str) -> None:
    """Something happened to a volume."""
    _tell(host, "volume", action, name, {"driver": "local", **more})


def tell_prune(host: Host, kind: str, space: int) -> None:
    """Unused things of a kind were removed; `space` is the bytes that came back."""
    _tell(host, kind, "prune", "", {"reclaimed": str(space)})


def tell_daemon(host: Host, action: str, **more: str) -> None:
    """Something happened to the daemon itself."""
    _tell(host, "daemon", action, host.settings.id, {"name": host.machine.facts.hostname, **more})


def _tell(host: Host, kind: str, action: str, actor: str, attributes: dict[str, str]) -> None:
    host.events.tell(Event(type=kind, action=action, actor=actor, attributes=attributes, time=host.clock.now()))
