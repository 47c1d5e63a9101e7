"""Firewalls that a host has beside ours: what they drop stays dropped, and docs/networking.md says how to open it."""

from __future__ import annotations

from pathlib import Path
from shutil import which

import pytest

from tests.integration.network.world import BRIEFLY, HOST, HOST6, OUTSIDE, World, Zone, binding
from zonehost.drivers.network.driver import KernelNetworking

PAGE = Path(__file__).parents[3] / "docs" / "networking.md"

UFW = """
iptables -w -P FORWARD DROP
iptables -w -N ufw-before-forward
iptables -w -N ufw-user-forward
iptables -w -A FORWARD -j ufw-before-forward
iptables -w -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -w -A ufw-before-forward -j ufw-user-forward
"""
"""What ufw 0.36 does with what is forwarded (before.rules, DEFAULT_FORWARD_POLICY)."""

FIREWALLD = """table inet firewalld {
 chain filter_FORWARD {
  type filter hook forward priority filter + 10; policy accept;
  ct state { established, related } accept
  STRICT
  iifname "lo" accept
  jump filter_FORWARD_POLICIES
  ct state invalid drop
  reject with icmpx admin-prohibited
 }
 chain filter_FORWARD_POLICIES { }
}
"""
"""What firewalld does with it; STRICT is `ct status dnat accept`, unless StrictForwardPorts (2.3) says yes."""


async def web(world: World, net: KernelNetworking, **fields: object) -> tuple[Zone, str]:
    """A zone that serves its port 80, published at 8080, and its bridge."""
    network = await world.network(net, **fields)
    zone = await world.zone(net, network, ports={"80/tcp": binding("8080")})
    zone.place.serve(80, address="::")
    world.outside.serve(80)
    return zone, world.host.run(f"ip -o addr show to {network.pools[0].gateway}").split()[1]


def is_open(world: World, address: str = HOST) -> bool:
    """Whether the outside reaches the published port."""
    try:
        world.outside.reach(address, 8080, BRIEFLY).close()
    except OSError:
        return False
    return True


def gets_out(zone: Zone) -> bool:
    try:
        zone.place.reach(OUTSIDE, 80, BRIEFLY).close()
    except OSError:
        return False
    return True


async def test_nftables_as_the_page_says(world: World, net: KernelNetworking) -> None:
    zone, _ = await web(world, net, ipv6=True)
    rules = PAGE.read_text().partition("**nftables.**")[2].split("```")[1]
    closed = "".join(line + "\n" for line in rules.splitlines() if "zb*" not in line and "8080" not in line)
    load(world, f"table inet mine {{\n{closed}}}\n")
    assert (is_open(world), is_open(world, HOST6), gets_out(zone)) == (False, False, False)
    world.host.run("nft delete table inet mine")
    load(world, f"table inet mine {{\n{rules}}}\n")
    assert (is_open(world), is_open(world, HOST6), gets_out(zone)) == (True, True, True)
    world.host.run("nft delete table inet mine")


async def test_ufw(world: World, net: KernelNetworking) -> None:
    if which("iptables") is None:
        pytest.skip("there is no iptables, which ufw is made of")
    zone, bridge = await web(world, net)
    world.host.run(UFW)
    assert (is_open(world), gets_out(zone)) == (False, False)
    world.host.run(f"iptables -w -A ufw-user-forward -i {bridge} -j ACCEPT")
    assert (is_open(world), gets_out(zone)) == (False, True)
    world.host.run(f"iptables -w -A ufw-user-forward -o {bridge} -p tcp --dport 80 -j ACCEPT")
    assert is_open(world)


@pytest.mark.parametrize("strict", [True, False])
async def test_firewalld(world: World, net: KernelNetworking, strict: bool) -> None:
    zone, bridge = await web(world, net)
    load(world, FIREWALLD.replace("STRICT", "" if strict else "ct status dnat accept"))
    assert (is_open(world), gets_out(zone)) == (not strict, False)
    # The bridge in a zone of its own, and a policy from the public zone to that one.
    for rule in (f'iifname "{bridge}" accept', f'oifname "{bridge}" accept'):
        world.host.run(f"nft add rule inet firewalld filter_FORWARD_POLICIES '{rule}'")
    assert (is_open(world), gets_out(zone)) == (True, True)
    world.host.run("nft delete table inet firewalld")


def load(world: World, rules: str) -> None:
    world.host.run(f"nft -f - <<'END'\n{rules}END\n")
