"""Per-CPU variables of the kernel, of any CPU."""

from __future__ import annotations

import pytest

from pybpf import XDP, ArrayMap, Simulation, XdpContext, i32, i64, ksym, load, per_cpu, xdp
from pybpf.runtime.errors import LoadError
from tests.proofs import prove

active = ksym(i32, "bpf_prog_active", percpu=True)
seen = ArrayMap[i64](3)


@xdp
def asks(pkt: XdpContext) -> XDP:
    mine, far = per_cpu(active, 0), per_cpu(active, 5000)
    seen[0] = -1 if mine is None else mine
    seen[1] = 1 if far is None else 0
    seen[2] = active
    return XDP.PASS


@pytest.mark.kernel
@pytest.mark.guest
def test_of_a_cpu() -> None:
    try:
        loaded = load(asks)
    except LoadError as error:
        if "bpf_prog_active" not in str(error):
            raise
        pytest.skip("this kernel describes no variables in its BTF")
    with loaded as obj:
        assert obj[asks].test(bytes(64)).retval == XDP.PASS
        assert obj[seen][0] >= 0 and obj[seen][1] == 1 and obj[seen][2] >= 0
    prove("helper", "bpf_per_cpu_ptr", "accepted XDP")


def test_simulated() -> None:
    sim = Simulation(cpus=2, bpf_prog_active=3)
    assert sim.run(asks, bytes(64)).retval == XDP.PASS
    assert [sim[seen][i] for i in range(3)] == [3, 1, 3]
