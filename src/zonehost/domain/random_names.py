"""Names for containers that were given none: an adjective and the surname of someone who built or studied computers."""

from __future__ import annotations

import secrets
from collections.abc import Container
from typing import Final

_ADJECTIVES: Final = (
    "able agile amber ample avid bold brave bright brisk busy calm candid civil clear clever cosy crisp curious "
    "deft eager earnest easy elated exact fair fancy fond frank fresh gentle gifted glad golden grand happy hardy "
    "honest humble jolly jovial keen kind lively loyal lucid lucky mellow merry mild modest nimble noble open "
    "patient placid plucky polite proud quick quiet rapid ready robust serene sharp silent simple sincere sleek "
    "smart smooth snug sober solid spry stable steady stoic sunny sure swift tender thrifty tidy tough tranquil "
    "trusty upbeat vivid warm wise witty zealous"
)
_SURNAMES: Final = (
    "aiken allen babbage backus baran bardeen bartik berners blum boole booth borg bosch brooks cantrill carmack "
    "cerf church clarke codd colmerauer cook corbato cray dahl dijkstra easley eckert edison engelbart erlang "
    "estrin feynman floyd gates gauss goldberg goldstine gosling gray hamilton hamming hejlsberg hoare holberton "
    "hopper huffman iverson jacquard jennings johnson joy kahan karp kay kernighan kilby kleene knuth lamarr "
    "lamport leibniz lerdorf licklider liskov lovelace mauchly mccarthy mccluskey mcilroy meltzer metcalfe micali "
    "milner minsky moore naur newell nygaard ousterhout pascal perlman perlis postel rabin ritchie rivest sammet "
    "scott shannon shamir shockley simon snyder spence stallman stroustrup sutherland tanenbaum tarjan teller "
    "thompson torvalds turing valiant vaughan wilkes wilkinson wing wirth yao zuse"
)


def random_name(taken: Container[str]) -> str:
    """An adjective_surname that is not taken; after a few tries with a number behind it."""
    for attempt in range(6):
        name = f"{secrets.choice(_ADJECTIVES.split())}_{secrets.choice(_SURNAMES.split())}"
        if name not in taken:
            return name
        if attempt and (numbered := f"{name}{secrets.randbelow(10)}") not in taken:
            return numbered
    while (name := f"{name}{secrets.randbelow(10)}") in taken:
        pass
    return name
