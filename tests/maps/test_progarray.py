"""Program arrays: slots filled at load and afterwards, and tail calls through them."""

from __future__ import annotations

import pytest

from pybpf import XDP, ArrayMap, ProgArray, XdpContext, load, u64, xdp
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

stages = ProgArray[XdpContext, XDP](4)
came = ArrayMap[u64](4)
PACKET = bytes(64)


@xdp
def first(pkt: XdpContext) -> XDP:
    came[0] += 1
    stages.tail_call(pkt, 1)
    stages.tail_call(pkt, 2)
    return XDP.ABORTED


@xdp
def second(pkt: XdpContext) -> XDP:
    came[1] += 1
    return XDP.DROP


@xdp
def third(pkt: XdpContext) -> XDP:
    came[2] += 1
    return XDP.TX


stages[1] = second


def test_slots() -> None:
    with load(first, third) as obj:
        prove("map", "PROG_ARRAY", "create")
        run = obj.programs["first"]
        assert run.test(PACKET).retval == XDP.DROP
        assert list(obj[came].values()) == [1, 1, 0, 0]
        prove("map", "PROG_ARRAY", "in program")
        assert obj[stages][1] == obj.programs["second"].info().id
        prove("map", "PROG_ARRAY", "lookup")
        assert list(obj[stages]) == [1]
        prove("map", "PROG_ARRAY", "iterate")
        del obj[stages][1]
        assert run.test(PACKET).retval == XDP.ABORTED
        prove("map", "PROG_ARRAY", "delete")
        obj[stages][2] = third
        assert run.test(PACKET).retval == XDP.TX
        assert list(obj[came].values()) == [3, 1, 1, 0]
        prove("map", "PROG_ARRAY", "update")
