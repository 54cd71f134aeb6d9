"""Answers that a program reads from memory: what the kernel takes at the hook, or the default in its place."""

from __future__ import annotations

from typing import Any

import pytest

from pybpf import (
    ArrayMap,
    CgroupBind,
    CgroupEgress,
    CgroupSkbContext,
    Simulation,
    SockAddr4Context,
    SockOpsContext,
    Struct,
    Union,
    build,
    cgroup,
    load,
    sockops,
    u32,
)
from pybpf.runtime import mapops


class Egress(Union):
    number: u32
    answer: CgroupEgress


class Bind(Union):
    number: u32
    answer: CgroupBind


class Flag(Struct):
    answer: bool


egress = ArrayMap[Egress](1)
bind = ArrayMap[Bind](1)
flag = ArrayMap[Flag](1)


@cgroup.skb.egress
def told(pkt: CgroupSkbContext) -> CgroupEgress:
    return egress[0].answer


@cgroup.skb.ingress
def yes_or_no(pkt: CgroupSkbContext) -> bool:
    return flag[0].answer


@cgroup.bind4
def binding(ctx: SockAddr4Context) -> CgroupBind:
    return bind[0].answer


@cgroup.getpeername4
def always(ctx: SockAddr4Context) -> None:
    ctx.user_port = 5


@sockops
def without(ops: SockOpsContext) -> None:
    ops.reply = 1


CASES = [
    (told, egress, Egress, {0: 0, 1: 1, 2: 2, 3: 3, 4: 0, 1 << 31: 0, 0xFFFF_FFFF: 0}),
    (yes_or_no, flag, Flag, {0: 0, 1: 1}),
]


@pytest.mark.kernel
@pytest.mark.guest
@pytest.mark.parametrize(("program", "table", "kind", "answers"), CASES, ids=["egress", "ingress"])
def test_kernel(program: Any, table: Any, kind: Any, answers: dict[int, int]) -> None:
    """The verifier takes it, so that whatever lies there is an answer that it knows."""
    with load(program) as obj:
        for number, expected in answers.items():
            obj[table][0] = kind(number=number) if kind is Egress else kind(answer=number)
            assert obj.programs[program.name].test(bytes(64)).retval == expected, number


@pytest.mark.kernel
@pytest.mark.guest
def test_a_byte_that_is_no_bool() -> None:
    """What somebody else wrote to the map: no bool, so it is none of the answers."""
    with load(yes_or_no) as obj:
        for byte in (2, 128, 255):
            mapops.update(obj[flag].fd, bytes(4), bytes([byte]))
            assert obj.programs["yes_or_no"].test(bytes(64)).retval == 0


@pytest.mark.parametrize(("program", "table", "kind", "answers"), CASES, ids=["egress", "ingress"])
def test_simulator(program: Any, table: Any, kind: Any, answers: dict[int, int]) -> None:
    for number, expected in answers.items():
        sim = Simulation()
        sim[table][0] = kind(number=number) if kind is Egress else kind(answer=bool(number))
        assert sim.run(program, packet=bytes(64)).retval == expected, number


def test_simulator_of_bind() -> None:
    for number, expected in {0: 0, 1: 1, 3: 3, 7: 0}.items():
        sim = Simulation()
        sim[bind][0] = Bind(number=number)
        assert sim.run(binding).retval == expected


def test_no_answer_is_the_only_one_allowed() -> None:
    """Where the kernel takes 1 alone, and where 0 would refuse."""
    assert Simulation().run(always).retval == 1
    assert Simulation().run(without).retval == 1
    assert "r0 = 1" in build(always).disassemble()


@pytest.mark.kernel
@pytest.mark.guest
def test_kernel_takes_them() -> None:
    with load(binding, always, without) as obj:
        assert sorted(obj.programs) == ["always", "binding", "without"]
