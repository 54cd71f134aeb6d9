"""Arrays of cgroups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybpf import (
    CgroupArray,
    HashMap,
    PybpfError,
    RawTracepointContext,
    Simulation,
    const,
    load,
    pid,
    raw_tp,
    u32,
    u64,
)
from tests.hooks.groups import inside, own_cgroup
from tests.proofs import prove

groups = CgroupArray(4)
calls = HashMap[u32, u64](max_entries=4)
mine = const(u32, 0)


@raw_tp("sys_enter")
def entered(ctx: RawTracepointContext) -> None:
    if pid() != mine and mine != 0:
        return
    if groups.holds_current(0):
        calls[0] += 1
    else:
        calls[1] += 1
    if groups.holds_current(1):
        calls[2] += 1


@pytest.mark.kernel
@pytest.mark.guest
def test_the_task_is_in_the_cgroup(tmp_path: Path) -> None:
    with own_cgroup() as path, load(entered, mine=os.getpid()) as obj:
        prove("map", "CGROUP_ARRAY", "create")
        obj[groups][0] = path
        prove("map", "CGROUP_ARRAY", "update")
        with obj.attach():
            os.getppid()
        assert 0 not in obj[calls] and obj[calls][1] > 0 and 2 not in obj[calls]
        with pytest.raises(PybpfError, match="that is no directory of cgroup2"):
            obj[groups][1] = tmp_path
        with pytest.raises(IndexError, match="has no slot 4"):
            obj[groups][4] = path
        assert inside(path, _work) == (True, False, False)
        prove("map", "CGROUP_ARRAY", "in program")
        del obj[groups][0]
        prove("map", "CGROUP_ARRAY", "delete")
        with pytest.raises(KeyError):
            del obj[groups][0]


def _work() -> tuple[bool, bool, bool]:
    """In a process that is inside: which counts there are of its own calls."""
    path = Path("/proc/self/cgroup").read_text().rpartition("0::")[2].strip()
    from pybpf.runtime.links.cgroups import cgroup_mounts

    with load(entered, mine=os.getpid()) as obj:
        obj[groups][0] = cgroup_mounts()[0] + path
        with obj.attach():
            os.getppid()
        return 0 in obj[calls], 1 in obj[calls], 2 in obj[calls]


def test_simulated() -> None:
    simulation = Simulation()
    simulation.run(entered, context=bytes(16))
    simulation[groups][0] = 1  # the cgroup that bpf_get_current_cgroup_id() gives
    simulation[groups][1] = 2
    simulation.run(entered, context=bytes(16))
    assert dict(simulation[calls]) == {1: 1, 0: 1}
