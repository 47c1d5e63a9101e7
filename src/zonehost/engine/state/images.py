"""All images of the host, the names that point to them, and which layers are in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from zonehost.domain.image import Image, Tag
from zonehost.domain.image_config import ImageConfig, read_image_config
from zonehost.domain.reference import parse_reference
from zonehost.errors import InvalidParameter, NotFound

_PREFIX = "sha256:"


class Images:
    """Iterates in the order in which images came."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}
        self._tags: dict[str, Tag] = {}
        self._configs: dict[str, ImageConfig] = {}
        self._lent: dict[str, list[Image]] = {}
        self._intakes = 0
        self.leftovers: set[str] = set()
        """Layers that may be nobody's, which go when nothing else comes in."""
        self._sweep = asyncio.Lock()

    def __iter__(self) -> Iterator[Image]:
        return iter(tuple(self._images.values()))

    def __len__(self) -> int:
        return len(self._images)

    def get(self, image_id: str) -> Image | None:
        """By whole id."""
        return self._images.get(image_id) or next(iter(self._lent.get(image_id, ())), None)

    def tagged(self, canonical: str) -> Tag | None:
        """The tag of this full name."""
        return self._tags.get(canonical)

    def find(self, ref: str) -> Image:
        """By name, id or unambiguous beginning of an id, in this order.

        Raises:
            NotFound: there is none. InvalidParameter: it cannot be a name, or is the beginning of several ids.
        """
        whole = self.get(ref) or self._images.get(_PREFIX + ref)
        if whole is not None:
            return whole
        name, fault = ref, None
        try:
            reference = parse_reference(ref).tagged()
            tag = self._tags.get(reference.canonical)
            if tag is None and reference.tag and reference.digest:
                tag = self._tags.get(f"{reference.repository}@{reference.digest}")
            if tag is not None:
                return self._images[tag.image]
            name = reference.familiar
        except InvalidParameter as error:
            fault = error
        digits = ref.removeprefix(_PREFIX)
        matching = [image for key, image in self._images.items() if digits and key.startswith(_PREFIX + digits)]
        if len(matching) == 1:
            return matching[0]
        if len(matching) > 1:
            raise InvalidParameter(f"multiple IDs found with provided prefix: {ref}")
        if fault is not None and not ref.startswith(_PREFIX):
            raise fault
        raise NotFound(f"No such image: {name}")

    def tags_of(self, image_id: str) -> list[Tag]:
        """The names of an image, sorted."""
        return sorted((tag for tag in self._tags.values() if tag.image == image_id), key=lambda tag: tag.name)

    def tags(self) -> tuple[Tag, ...]:
        """All names."""
        return tuple(self._tags.values())

    def children_of(self, image_id: str) -> list[Image]:
        """Images that were built on this one here."""
        return [image for image in self._images.values() if image.parent == image_id]

    def descendants_of(self, image: Image) -> list[Image]:
        """Images that were made from this one, wherever: they begin with its layers and its history."""
        history = self.config_of(image).history or ()
        layers = image.layers
        return [
            other
            for other in self._images.values()
            if other.layers[: len(layers)] == layers
            and len(steps := self.config_of(other).history or ()) > len(history)
            and steps[: len(history)] == history
        ]

    def config_of(self, image: Image) -> ImageConfig:
        """The image's configuration, decoded once for as long as the image is here."""
        config = self._configs.get(image.id)
        if config is None:
            config = read_image_config(image.config)
            if self.get(image.id) is not None:
                self._configs[image.id] = config
        return config

    def add(self, image: Image) -> None:
        """Take in an image; one that is there stays as it is."""
        self._images.setdefault(image.id, image)

    def drop(self, image: Image) -> None:
        """Forget an image. Idempotent."""
        self._images.pop(image.id, None)
        self._configs.pop(image.id, None)

    @contextmanager
    def lending(self, image: Image) -> Iterator[None]:
        """While a build works on it: an image that is found by its whole id, and by nothing else, and is in no list."""
        self._lent.setdefault(image.id, []).append(image)
        try:
            yield
        finally:
            self._lent[image.id].remove(image)
            if not self._lent[image.id]:
                del self._lent[image.id]
                if image.id not in self._images:
                    self._configs.pop(image.id, None)

    def put_tag(self, tag: Tag) -> None:
        """Let a name point to an image, whatever it pointed to before."""
        self._tags[tag.name] = tag

    def drop_tag(self, name: str) -> None:
        """Forget a name. Idempotent."""
        self._tags.pop(name, None)

    def layers_in_use(self) -> set[str]:
        """Diff ids that an image stands on."""
        return {layer for image in self._images.values() for layer in image.layers}

    @asynccontextmanager
    async def intake(self) -> AsyncIterator[None]:
        """While layers come in that no record names yet: none is swept."""
        async with self._sweep:
            self._intakes += 1
        try:
            yield
        finally:
            self._intakes -= 1

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[bool]:
        """Whether layers may be removed now; while they are, no intake begins."""
        if self._intakes:
            yield False
            return
        async with self._sweep:
            yield not self._intakes


def all_layers(images: Iterable[Image]) -> set[str]:
    """Diff ids of these images."""
    return {layer for image in images for layer in image.layers}
