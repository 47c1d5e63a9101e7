"""ONBUILD triggers that read stages of the Dockerfile which builds on their image."""

from __future__ import annotations

import pytest

from tests.unit.builder.fakes import Bench
from zonehost.domain.config import Config
from zonehost.domain.image_config import ImageConfig
from zonehost.errors import InvalidParameter


@pytest.fixture
def bench() -> Bench:
    bench = Bench(a=b"1")
    triggers = ("COPY --from=tools /x /x", "RUN --mount=from=tools,target=/m use")
    bench.workshop.add_image("onbuild", ImageConfig(config=Config(on_build=triggers)))
    return bench


async def test_a_stage_that_only_a_trigger_needs(bench: Bench) -> None:
    image = await bench.build("FROM base AS low\nRUN low\nFROM low AS tools\nRUN make\nFROM onbuild\nRUN last")
    assert bench.ran == ["low", "make", "use", "last"]
    assert len(image.rootfs.diff_ids or ()) == 4
    assert bench.text.index("Executing 2 build triggers") < bench.text.index("RUN last") < bench.text.index("RUN make")


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM onbuild AS tools",
        "FROM onbuild AS app\nFROM app AS tools\nFROM app",
        "FROM onbuild AS app\nFROM base AS tools\nCOPY --from=app /x /x\nFROM app",
    ],
)
async def test_stages_that_wait_for_each_other(bench: Bench, dockerfile: str) -> None:
    with pytest.raises(InvalidParameter, match="circular dependency detected on stage: tools"):
        await bench.build(dockerfile)
