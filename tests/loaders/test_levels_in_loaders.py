"""Objects of each ISA level before every loader: what the program does with numbers is of level 4 where it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pybpf import XDP, ArrayMap, Struct, Target, XdpContext, be32, build, i8, i16, i32, i64, load, u32, xdp
from pybpf.compiler.isa.insn import decode
from pybpf.compiler.isa.levels import level as level_of
from tests.loaders.harness import JUDGES, check_with, need_root

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel


class Numbers(Struct):
    small: i8
    medium: i16
    large: i32
    net: be32
    whole: i64


numbers = ArrayMap[Numbers](2)


@xdp
def of_signs(pkt: XdpContext) -> XDP:
    n = numbers[0]
    total = i64(n.small) + n.medium + n.large + n.net + i8(n.whole)
    if n.large != 0 and u32(n.large) < 1 << 31:
        total += n.whole // n.large + n.whole % -7
    if total < -5 or n.whole <= n.medium:
        total += n.whole % 10
    numbers[1].whole = total
    return XDP.PASS


def expected(small: int, medium: int, large: int, net: int, whole: int) -> int:
    """In plain Python."""
    total = small + medium + large + net + ((whole & 0xFF) ^ 0x80) - 0x80
    if large > 0:
        total += whole // large + whole % -7
    if total < -5 or whole <= medium:
        total += whole % 10
    return total


GIVEN = [(-5, -300, 1000, 0x01020304, -123456789), (5, 300, -7, 9, 129), (-1, -1, 3, 0, -1 << 40), (0, 0, 0, 0, 0)]


def made(cpu: int) -> Any:
    return build(of_signs, target=Target(cpu=cpu, kernel=(6, 6)))


@pytest.mark.parametrize("cpu", [1, 2, 3, 4])
def test_each_level_has_what_it_has_and_means_the_same(cpu: int) -> None:
    need_root()
    built = made(cpu)
    assert max([level_of(insn) for code in built.functions.values() for insn in decode(code.code)]) == cpu
    with load(built) as obj:
        for given in GIVEN:
            small, medium, large, net, whole = given
            obj[numbers][0] = Numbers(small=small, medium=medium, large=large, net=net, whole=whole)
            obj.programs["of_signs"].test(bytes(64))
            assert obj[numbers][1].whole == expected(*given), given


@pytest.mark.parametrize("cpu", [1, 2, 3, 4])
@pytest.mark.parametrize("judge", JUDGES)
def test_every_loader_takes_every_level(judge: str, cpu: int, tmp_path: Path) -> None:
    check_with(judge, made(cpu).elf, tmp_path)
