"""Kernel objects in a simulation: what programs find in them, by load and by probe read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pybpf import (
    HashMap,
    L,
    Simulation,
    Text,
    current_task,
    exists,
    kernel_str,
    raw_tp,
    sizeof,
    task,
    tp_btf,
    u32,
    u64,
)  # fmt: skip
from pybpf.kernel import mm_struct, request, request_queue, sock, task_struct

seen = HashMap[u32, u64](max_entries=64)
names = HashMap[u32, Text[L[16]]](max_entries=8)
started = HashMap[request, u64](max_entries=8)


@tp_btf("sched_switch")
def switched(preempt: bool, prev: task_struct, next: task_struct) -> None:
    seen[0] = prev.real_parent.tgid
    seen[1] = prev.mm is None
    seen[2] = next.mm.total_vm
    seen[3] = prev.in_iowait + 2 * next.in_iowait
    seen[4] = prev.signal.rlim[7].rlim_cur
    names[0] = prev.comm
    names[1] = kernel_str(next.real_parent.comm)
    seen[5] = prev == next
    seen[6] = exists(prev.mm) and sizeof(task_struct) > 1000


@raw_tp("sys_enter")
def entered() -> None:
    this = task_struct(task())
    seen[10] = this.tgid
    seen[11] = current_task().real_parent.pid
    seen[12] = current_task() == this
    names[2] = this.comm


@raw_tp("block_rq_issue")
def issued(rq: request) -> None:
    started[rq] = rq.q.disk.major


@raw_tp("inet_sock_set_state")
def state(sk: sock) -> None:
    seen[20] = sk.__sk_common.skc_dport
    seen[21] = sk.__sk_common.skc_daddr


def test_members() -> None:
    parent = task_struct(tgid=1, comm="init")
    prev = task_struct(
        real_parent=parent, comm="cat", in_iowait=1, signal=SimpleNamespace(rlim=[{}] * 7 + [{"rlim_cur": 99}])
    )
    other = task_struct(mm=mm_struct(total_vm=12), real_parent=parent)
    sim = Simulation()
    sim.run(switched, prev=prev, next=other)
    assert [sim[seen][k] for k in range(7)] == [1, 1, 12, 1, 99, 0, 1]
    assert (sim[names][0], sim[names][1]) == ("cat", "init")


def test_null_reads_as_zero() -> None:
    sim = Simulation()
    sim.run(switched, prev=None, next=task_struct())
    assert [sim[seen][k] for k in range(6)] == [0, 1, 0, 0, 0, 0] and sim[names][0] == ""


def test_the_current_task() -> None:
    sim = Simulation(pid=40, tid=41, comm="worker")
    sim.run(entered)
    assert [sim[seen][k] for k in (10, 11, 12)] == [40, 0, 1] and sim[names][2] == "worker"
    sim = Simulation(task=task_struct(tgid=9, real_parent=SimpleNamespace(pid=8)))
    sim.run(entered)
    assert [sim[seen][k] for k in (10, 11, 12)] == [9, 8, 1]


def test_objects_keep_their_address() -> None:
    rq = request(q=request_queue(disk={"major": 8}))
    sim = Simulation()
    sim.run(issued, rq=rq)
    sim.run(issued, rq=rq)
    assert list(sim[started].values()) == [8]
    sim.run(issued, rq=request())
    assert sorted(sim[started].values()) == [0, 8]


def test_a_circle() -> None:
    me = task_struct(tgid=5)
    me.real_parent = me
    sim = Simulation()
    sim.run(switched, prev=me, next=me)
    assert sim[seen][0] == 5 and sim[seen][5] == 1


def test_network_order_and_unions() -> None:
    sim = Simulation()
    sim.run(state, sk=sock(__sk_common={"skc_dport": 443, "skc_daddr": 0x0A000001}))
    assert (sim[seen][20], sim[seen][21]) == (443, 0x0A000001)


def test_mistakes() -> None:
    with pytest.raises(TypeError, match="no member 'pidd'"):
        task_struct(pidd=1)
    with pytest.raises(TypeError, match="did you mean 'pid'"):
        Simulation().run(switched, prev=SimpleNamespace(pidd=1))
    with pytest.raises(ValueError, match="17 bytes do not fit 16"):
        Simulation().run(switched, prev=task_struct(comm="x" * 17))
