"""Subprograms and program arrays of compiled programs before the real loaders and the real kernel."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import pytest

from pybpf import (
    XDP,
    ArrayMap,
    ProgArray,
    Struct,
    Target,
    TracepointContext,
    XdpContext,
    build,
    load,
    subprog,
    tracepoint,
    u32,
    u64,
    xdp,
)
from pybpf.net import ethhdr
from pybpf.runtime.errors import PybpfError
from tests.loaders.harness import JUDGES, check_with

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel


class Weight(Struct):
    size: u32
    total: u64


class Stage(IntEnum):
    FIRST = 0
    LAST = 2


seen = ArrayMap[u64](4)
stages = ProgArray[XdpContext, XDP](3)


@subprog
def weigh(weight: Weight, by: u32) -> u64:
    weight.total += weight.size * by
    return weight.total


@subprog
def next_type(pkt: XdpContext) -> u32:
    eth = pkt.parse(ethhdr)
    return eth.h_proto if eth is not None else 0


@subprog(global_=True)
def doubled(weight: Weight | None, add: u32, twice: bool) -> u64:
    if weight is None:
        return 0
    return (weight.total + add) * (2 if twice else 1)


@xdp
def counted(pkt: XdpContext) -> XDP:
    weight = Weight(size=3, total=1)
    seen[0] = weigh(weight, 5)
    seen[1] = doubled(weight, 4, twice=True)
    seen[2] = next_type(pkt)
    seen[3] = next_type(pkt)
    return XDP.PASS


@xdp
def entry(pkt: XdpContext) -> XDP:
    seen[0] += 1
    stages.tail_call(pkt, Stage.LAST)
    return XDP.PASS


@xdp
def last(pkt: XdpContext) -> XDP:
    seen[1] += 1
    return XDP.DROP if pkt.parse(ethhdr) is not None else XDP.ABORTED


@xdp
def other(pkt: XdpContext) -> XDP:
    return XDP.TX


stages[Stage.LAST] = last


@pytest.mark.parametrize("judge", JUDGES)
def test_subprograms(judge: str, tmp_path: Path) -> None:
    check_with(judge, build(counted).elf, tmp_path)


@pytest.mark.parametrize("judge", JUDGES)
def test_program_arrays(judge: str, tmp_path: Path) -> None:
    check_with(judge, build(entry).elf, tmp_path)


@pytest.mark.parametrize("kernel", [(6, 1), (6, 8)])
def test_what_subprograms_answer(kernel: tuple[int, int]) -> None:
    packet = bytes(12) + b"\x08\x00" + bytes(12) + b"\x86\xdd" + bytes(36)
    with load(counted, target=Target(kernel=kernel)) as obj:
        assert obj.programs["counted"].test(packet).retval == XDP.PASS
        assert [obj[seen][i] for i in range(4)] == [16, 40, 0x0800, 0x86DD]


executions = ProgArray[TracepointContext, None](1)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    executions.tail_call(ctx, 0)


@tracepoint("sched:sched_process_exec")
def rest(ctx: TracepointContext) -> None:
    seen[0] += 1


executions[0] = rest


def test_what_only_others_go_on_in_is_not_attached() -> None:
    assert build(entry, last).called == ("last",) and build(last).called == ()
    with load(on_exec, rest) as obj:
        assert sorted(obj.programs) == ["on_exec", "rest"]
        with obj.attach():
            assert [link.program.name for link in obj.links] == ["on_exec"]


def test_slots_filled_from_the_start_and_later() -> None:
    made = build(entry)
    assert list(made.programs) == ["entry", "last"] and made.called == ("last",)
    with load(entry, other) as obj:
        program = obj.programs["entry"]
        assert program.test(bytes(64)).retval == XDP.DROP
        assert list(obj[stages]) == [2]
        obj[stages][2] = obj.programs["other"]
        assert program.test(bytes(64)).retval == XDP.TX
        obj[stages][2] = last
        assert program.test(bytes(64)).retval == XDP.DROP
        del obj[stages][2]
        assert program.test(bytes(64)).retval == XDP.PASS
        assert len(obj[stages]) == 0
        assert (obj[seen][0], obj[seen][1]) == (4, 2)
        with pytest.raises(KeyError):
            obj[stages][0]
        with pytest.raises(IndexError, match="no slot 3"):
            obj[stages][3] = other
        with pytest.raises(PybpfError, match="is no program of object"):
            obj[stages][1] = counted
