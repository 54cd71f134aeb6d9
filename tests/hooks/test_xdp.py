"""XDP programs on a veth pair."""

from __future__ import annotations

import pytest

from pybpf import XDP, HashMap, XdpContext, load, u32, u64, xdp
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

seen = HashMap[u32, u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    seen[0] += 1
    return XDP.PASS


def test_count() -> None:
    with load(count) as obj:
        prove("hook", "xdp", "loaded")
        assert obj.programs["count"].test(bytes(64)).retval == XDP.PASS
        assert obj[seen][0] == 1
