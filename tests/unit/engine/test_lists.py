"""Lists, changes of limits, images of containers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from tests.fakes.host import World
from tests.unit.engine.steps import actions, make, quiet, record_of, run
from zonehost.domain.config import Config
from zonehost.domain.filters import Filters
from zonehost.domain.host_config import HostConfig, PortBinding, RestartPolicy
from zonehost.domain.image import Tag
from zonehost.domain.image_config import HistoryStep, write_image_config
from zonehost.engine.container.commit import CommitRequest, commit
from zonehost.engine.container.listing import ListRequest, list_containers
from zonehost.engine.container.prune import prune
from zonehost.engine.container.remove import remove
from zonehost.engine.container.update import update
from zonehost.engine.image.listing import ImageListRequest, list_images
from zonehost.engine.image.remove import remove as remove_image
from zonehost.engine.image.tag import tag
from zonehost.errors import Conflict, InvalidParameter, NotFound, Unsupported


async def names(
    world: World, filters: Mapping[str, str] | None = None, *, everything: bool = True, limit: int = -1
) -> list[str]:
    given = Filters({name: (value,) for name, value in (filters or {}).items()})
    request = ListRequest(all=everything, limit=limit, filters=given)
    return [listed.container.name for listed in await list_containers(world.host, request)]


@pytest.fixture
async def three(world: World) -> World:
    """up runs, done has ended with 4, made has not begun; in this order."""
    await run(
        world,
        "sleep",
        name="up",
        config={"labels": {"tier": "web"}},
        port_bindings={"80/tcp": (PortBinding(host_port="8080"),)},
    )
    await run(world, "exit", "4", name="done", binds=("data:/data",))
    await make(world, "sleep", name="made", config={"exposed_ports": {"53/udp": {}}}, network_mode="none")
    await quiet()
    return world


async def test_running_ones_unless_all_are_wanted(three: World) -> None:
    assert await names(three, everything=False) == ["up"]
    assert await names(three) == ["made", "done", "up"]
    assert await names(three, everything=False, limit=2) == ["made", "done"]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"name": "p$"}, ["up"]),
        ({"name": "^/done$"}, ["done"]),
        ({"status": "exited"}, ["done"]),
        ({"exited": "4"}, ["done"]),
        ({"exited": "0"}, []),
        ({"label": "tier=web"}, ["up"]),
        ({"before": "done"}, ["up"]),
        ({"since": "done"}, ["made"]),
        ({"volume": "data"}, ["done"]),
        ({"volume": "/data"}, ["done"]),
        ({"network": "none"}, ["made"]),
        ({"network": "bridge"}, ["done", "up"]),
        ({"publish": "8080"}, ["up"]),
        ({"publish": "8080/udp"}, []),
        ({"publish": "80"}, []),
        ({"expose": "50-60/udp"}, ["made"]),
        ({"health": "none"}, ["made", "done", "up"]),
        ({"health": "healthy"}, []),
        ({"ancestor": "tool"}, ["made", "done", "up"]),
        ({"ancestor": "nothing"}, []),
        ({"is-task": "true"}, []),
        ({"is-task": "false"}, ["made", "done", "up"]),
        ({"isolation": "default"}, ["made", "done", "up"]),
        ({"isolation": "hyperv"}, []),
    ],
)
async def test_filters(three: World, filters: dict[str, str], wanted: list[str]) -> None:
    assert await names(three, filters) == wanted


async def test_a_port_is_published_or_exposed(three: World) -> None:
    given = Filters({"publish": ("8080",), "expose": ("53/udp",)})
    listed = await list_containers(three.host, ListRequest(all=True, filters=given))
    assert [one.container.name for one in listed] == ["made", "up"]


async def test_links_name_the_container_that_they_lead_to(three: World) -> None:
    await make(three, "sleep", name="user", links=("up:web",))
    listed = {one.container.name: one.names for one in await list_containers(three.host, ListRequest())}
    assert listed == {"up": ("up", "user/web")}
    assert await names(three, {"name": "^user/web$"}) == ["up"]
    await remove(three.host, "user")
    (left,) = await list_containers(three.host, ListRequest())
    assert left.names == ("up",)


async def test_an_image_descends_from_the_one_whose_layers_and_history_it_begins_with(three: World) -> None:
    base = three.host.images.find("tool")
    config = three.host.images.config_of(base)
    labelled = msgspec.structs.replace(config, history=(*(config.history or ()), HistoryStep(created_by="LABEL a=b")))
    document = write_image_config(labelled)
    image = msgspec.structs.replace(base, id="sha256:" + "c" * 64, config=document)
    three.host.images.add(image)
    await tag(three.host, image.id, "labelled", "latest")
    await make(three, "sleep", name="child", config={"image": "labelled"})
    assert await names(three, {"ancestor": "tool"}) == ["child", "made", "done", "up"]
    assert await names(three, {"ancestor": "labelled"}) == ["child"]


@pytest.mark.parametrize("filters", [{"colour": "x"}, {"status": "x"}, {"exited": "x"}, {"health": "x"}])
async def test_filters_that_cannot_be(three: World, filters: dict[str, str]) -> None:
    with pytest.raises(InvalidParameter, match="invalid filter"):
        await names(three, filters)


async def test_a_state_that_is_none_is_told_which_there_are(three: World) -> None:
    with pytest.raises(InvalidParameter) as refused:
        await names(three, {"status": "well"})
    assert str(refused.value) == (
        "invalid filter 'status=well': invalid value for state (well): "
        "must be one of created, running, paused, restarting, removing, exited, dead"
    )


async def test_bounds_of_lists_must_be_there(three: World) -> None:
    with pytest.raises(NotFound):
        await names(three, {"before": "nobody"})


async def test_an_image_whose_name_moved_on_is_shown_by_id(three: World) -> None:
    await three.add_image("other", Config(cmd=("sleep",)), layer=b"other")
    await tag(three.host, "other", "tool", "latest")
    listed = await list_containers(three.host, ListRequest())
    assert listed[0].image_name == listed[0].container.image


async def test_images_of_one_second_have_an_order(world: World) -> None:
    base = world.host.images.find("tool")
    for number in (2, 1, 3):
        created = f"2024-01-01T00:00:00.{number}Z"
        document = write_image_config(msgspec.structs.replace(world.host.images.config_of(base), created=created))
        image = msgspec.structs.replace(base, id=f"sha256:{number:064}", config=document)
        world.host.images.add(image)
        await tag(world.host, image.id, f"image{number}", "latest")
    reference = ("image*",)
    for filters, wanted in (
        ({}, "321"),
        ({"since": ("image1",)}, "32"),
        ({"before": ("image3",)}, "21"),
        ({"since": ("image1", "image2")}, "3"),
    ):
        request = ImageListRequest(filters=Filters({"reference": reference, **filters}))
        listed = await list_images(world.host, request)
        assert [summary.tags for summary in listed] == [(f"image{number}:latest",) for number in wanted]
        assert all(summary.created == 1_704_067_200 for summary in listed)


async def test_an_image_with_a_digest_only_is_dangling_and_not(world: World) -> None:
    base = world.host.images.find("tool")
    for number, name in ((1, ""), (2, f"docker.io/library/tool@{base.id}"), (3, "docker.io/library/tool:3")):
        image = msgspec.structs.replace(base, id=f"sha256:{number:064}")
        world.host.images.add(image)
        if name:
            world.host.images.put_tag(Tag(name=name, image=image.id, tagged=number))
    for wanted, numbers in (("true", {1, 2}), ("false", {2, 3})):
        listed = await list_images(world.host, ImageListRequest(filters=Filters({"dangling": (wanted,)})))
        assert {int(summary.image.id[-1]) for summary in listed if summary.image.id != base.id} == numbers


async def test_prune_takes_what_does_not_run(three: World) -> None:
    pruned = await prune(three.host, Filters())
    assert len(pruned.ids) == 2
    assert pruned.space == 200
    assert await names(three) == ["up"]


async def test_prune_by_age(three: World) -> None:
    assert (await prune(three.host, Filters({"until": ("1h",)}))).ids == ()


async def test_limits_change_in_the_zone_and_in_the_record(world: World) -> None:
    container = await run(world, "sleep", memory=64 << 20)
    await update(world.host, container, HostConfig(memory=32 << 20, pids_limit=5))
    assert record_of(world, container).host_config.memory == 32 << 20
    assert (world.runtime.zones[container].limits.memory, world.runtime.zones[container].limits.pids) == (32 << 20, 5)


@pytest.mark.parametrize(
    ("changes", "words", "by"),
    [
        (HostConfig(memory=256 << 20), "update the memoryswap at the same time", Conflict),
        (HostConfig(memory=1), "Minimum memory limit allowed is 6MB", InvalidParameter),
        (HostConfig(cpu_quota=5000), "NanoCPUs has already been set", Conflict),
        (HostConfig(privileged=True), "Privileged of a container cannot be updated", Unsupported),
        (HostConfig(restart_policy=RestartPolicy(name="x")), "unknown policy", InvalidParameter),
    ],
)
async def test_changes_that_cannot_be(world: World, changes: HostConfig, words: str, by: type[Exception]) -> None:
    container = await run(world, "sleep", memory=64 << 20, nano_cpus=10**9)
    before = record_of(world, container)
    with pytest.raises(by, match=words):
        await update(world.host, container, changes)
    assert record_of(world, container) == before


async def test_an_image_of_a_container_stands_on_its_layers(world: World) -> None:
    container = await run(world, "sleep", config={"env": ("A=1",)})
    request = CommitRequest(
        container=container, repository="kept", tag="1", author="me", comment="why", changes=('CMD ["x"]',)
    )
    image = world.host.images.find(await commit(world.host, request))
    config = world.host.images.config_of(image)
    assert world.host.images.find("kept:1") is image
    assert image.layers[:-1] == record_of(world, container).layers
    assert image.parent == record_of(world, container).image
    assert config.run.cmd == ("x",)
    assert config.run.env == ("A=1", "PATH=/bin")
    assert (config.run.hostname, config.author) == ("", "me")
    assert config.history is not None and config.history[-1].comment == "why"
    assert not world.runtime.zones[container].paused


async def test_what_others_stand_on_stays(world: World) -> None:
    container = await make(world, "sleep")
    await commit(world.host, CommitRequest(container=container.id, repository="child"))
    assert actions(world, "image")[-2:] == ["create", "tag"]
    await remove(world.host, container.id)
    with pytest.raises(Conflict, match="image has dependent child images"):
        await remove_image(world.host, world.host.images.find("tool").id, force=True, prune=True)
