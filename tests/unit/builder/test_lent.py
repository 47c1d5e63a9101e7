"""Secrets as variables, on fakes: what a command gets, and who never hears of it."""

from __future__ import annotations

import pytest

from tests.unit.builder.fakes import Bench
from zonehost.errors import InvalidParameter
from zonehost.ports.build_client import NoClient


class Client(NoClient):
    def __init__(self, **secrets: bytes) -> None:
        self._secrets = secrets

    async def secret(self, name: str) -> bytes | None:
        return self._secrets.get(name)


async def build(bench: Bench, mount: str, **secrets: bytes) -> None:
    await bench.build(f"FROM base\nRUN --mount=type=secret,{mount} x", client=Client(**secrets))


@pytest.mark.parametrize(
    ("mount", "variables", "files"),
    [
        ("id=s,env=TOKEN", ("TOKEN=hidden\n",), []),
        ("env=s", ("s=hidden\n",), []),
        ("id=s,env=TOKEN,target=/f", ("TOKEN=hidden\n",), ["/f"]),
        ("id=s", (), ["/run/secrets/s"]),
        ("id=absent,env=TOKEN", (), []),
    ],
)
async def test_a_secret_as_a_variable(mount: str, variables: tuple[str, ...], files: list[str]) -> None:
    bench = Bench()
    await build(bench, mount, s=b"hidden\n")
    (order,) = bench.workshop.orders
    assert order.secrets == variables
    assert [bind.destination for bind in order.binds] == files
    assert not any("hidden" in text for text in (*order.env, repr(order), bench.text, repr(bench.cache.known)))


async def test_its_value_is_in_no_key() -> None:
    bench = Bench()
    await build(bench, "id=s,env=TOKEN", s=b"one")
    await build(bench, "id=s,env=TOKEN", s=b"two")
    assert len(bench.workshop.orders) == 1
    await build(bench, "id=s,env=OTHER", s=b"two")
    assert len(bench.workshop.orders) == 2


@pytest.mark.parametrize(("value", "reason"), [(b"a\0b", "cannot hold a NUL byte"), (b"\xff", "holds UTF-8 only")])
async def test_what_a_variable_cannot_hold(value: bytes, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=f"secret s: a variable {reason}"):
        await build(Bench(), "id=s,env=TOKEN", s=value)


async def test_a_required_one_that_is_not_there() -> None:
    with pytest.raises(InvalidParameter, match="secret s: not found"):
        await build(Bench(), "id=s,env=TOKEN,required")
