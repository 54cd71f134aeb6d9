"""Programs that a function makes, each with constants of its own, and how they are told apart."""

from __future__ import annotations

import pytest

from pybpf import XDP, ArrayMap, ProgArray, Program, Simulation, XdpContext, build, load, u64, xdp
from pybpf.net import ethhdr

hits = ArrayMap[u64](4)
stages = ProgArray[XdpContext, XDP](4)


def make(index: int, verdict: XDP, limits: tuple[int, int] = (1, 2)) -> Program[[XdpContext], XDP]:
    scale = index * 10

    def scaled(n: int) -> int:
        return n + scale

    @xdp
    def stage(pkt: XdpContext) -> XDP:
        low, high = limits
        hits[index] += scaled(low + high)
        return verdict

    return stage


made = [make(index, verdict) for index, verdict in enumerate((XDP.PASS, XDP.DROP, XDP.TX))]
for number, program in enumerate(made):
    stages[number] = program


@xdp
def entry(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is not None:
        stages.tail_call(pkt, eth.h_dest[0])
    return XDP.ABORTED


def test_names_are_told_apart() -> None:
    compiled = build(*made)
    assert list(compiled.programs) == ["stage", "stage_2", "stage_3"] and compiled.called == ()
    assert list(build(made[2]).programs) == ["stage"]
    assert build(*made).elf == compiled.elf


def test_a_program_array_holds_them() -> None:
    compiled = build(entry)
    assert list(compiled.programs) == ["entry", "stage", "stage_2", "stage_3"]
    assert compiled.called == ("stage", "stage_2", "stage_3")


def test_in_the_simulator() -> None:
    with Simulation() as sim:
        answers = [entry.simulate(packet=bytes([first]) + bytes(63)).retval for first in range(4)]
        assert answers == [XDP.PASS, XDP.DROP, XDP.TX, XDP.ABORTED]
        assert [sim[hits][index] for index in range(4)] == [3, 13, 23, 0]


@pytest.mark.kernel
def test_in_the_kernel() -> None:
    with load(entry) as obj:
        program = obj.programs["entry"]
        answers = [program.test(bytes([first]) + bytes(63)).retval for first in range(4)]
        assert answers == [XDP.PASS, XDP.DROP, XDP.TX, XDP.ABORTED]
        assert [obj[hits][index] for index in range(4)] == [3, 13, 23, 0]


def test_two_definitions_of_one_name_are_still_an_error() -> None:
    from pybpf import CompileError

    def other() -> Program[[XdpContext], XDP]:
        @xdp
        def stage(pkt: XdpContext) -> XDP:
            return XDP.PASS

        return stage

    with pytest.raises(CompileError, match="stage"):
        build(made[0], other())
