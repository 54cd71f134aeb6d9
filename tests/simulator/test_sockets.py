"""Programs of cgroups and sockets in a simulation: their contexts, and storage by what it belongs to."""

from __future__ import annotations

import struct

import pytest

from pybpf import (
    CgroupSkbContext,
    DeviceContext,
    GetsockoptContext,
    Simulation,
    SkStorage,
    SockAddr4Context,
    SockAddr6Context,
    SockContext,
    SockMap,
    SockOp,
    SockOpsContext,
    Struct,
    SysctlContext,
    TaskStorage,
    cgroup,
    current_task,
    i32,
    sockops,
    tp_btf,
    u32,
    u64,
)
from pybpf.net import iphdr, ipv4
from pybpf.simulator.errors import SimulationError


class Usage(Struct):
    calls: u64


class Number(Struct):
    value: i32


talks = SkStorage[Usage]()
marks = SkStorage[u32]()
tasks = TaskStorage[u64]()
socks = SockMap(4)


@cgroup.connect4
def redirect(ctx: SockAddr4Context) -> bool:
    if ctx.user_port == 80 and ctx.sk.protocol == 6:
        ctx.user_ip4 = ipv4("127.0.0.1")
        ctx.user_port = 8080
    return ctx.user_port != 81


@cgroup.connect6
def last_word(ctx: SockAddr6Context) -> bool:
    ctx.user_ip6[3] += 1
    return ctx.user_ip6[3] == 2


@cgroup.skb.egress
def count(pkt: CgroupSkbContext) -> bool:
    ip = pkt.parse(iphdr)
    sk = pkt.sk
    if ip is None or sk is None:
        return False
    talk = talks.setdefault(sk, Usage(calls=100))
    if talk is not None:
        talk.calls += 1
    return pkt.remote_port == 53


@cgroup.sock_create
def mark(ctx: SockContext) -> bool:
    marks[ctx] = ctx.protocol
    marks[ctx] += 1
    found = marks.pop(ctx, None)
    return found is not None and ctx not in marks


@cgroup.getsockopt
def answer(ctx: GetsockoptContext) -> bool:
    number = ctx.value(Number)
    if number is None:
        return False
    number.value *= 2
    ctx.retval = 0
    return True


@cgroup.dev
def device(ctx: DeviceContext) -> bool:
    return ctx.type == 2 and ctx.access == 6 and ctx.access_type == 0x0006_0002


@cgroup.sysctl
def names(ctx: SysctlContext) -> bool:
    return ctx.name() != "kernel/panic"


@sockops
def events(ops: SockOpsContext) -> bool:
    ops.reply = 10
    return ops.op == SockOp.RWND_INIT and ops.args[0] == 10 and ops.args[1] == 3


@sockops
def added(ops: SockOpsContext) -> None:
    socks.add(ops, 0)


@tp_btf("sys_enter")
def calls() -> None:
    tasks[current_task()] += 1


def test_addresses() -> None:
    sk = bytearray(80)
    sk[12:16] = struct.pack("<I", 6)
    made = redirect.simulate(user_ip4=ipv4("192.0.2.1"), user_port=80, sk=sk)
    assert (made.retval, made.context[4:8], made.context[24:28]) == (1, b"\x7f\0\0\1", b"\x1f\x90\0\0")
    assert redirect.simulate(user_port=80).context[24:28] == b"\0\x50\0\0"  # another protocol
    assert redirect.simulate(user_port=81).retval == 0
    assert last_word.simulate(user_ip6=[0, 0, 0, 1]).retval == 1


def test_storage() -> None:
    sim, one, two = Simulation(), bytearray(80), bytearray(80)
    for sk, expected in ((one, 101), (one, 102), (two, 101)):
        assert sim.run(count, packet=bytes(40), sk=sk, remote_port=53).retval == 1
        assert expected in [value.calls for value in sim[talks].values()]
    assert sorted(value.calls for value in sim[talks].values()) == [101, 102]
    assert count.simulate(packet=bytes(40)).retval == 0  # no socket
    assert mark.simulate(protocol=17).retval == 1
    sim.run(calls)
    sim.run(calls)
    assert list(sim[tasks].values()) == [2]


def test_options_devices_and_events() -> None:
    made = answer.simulate(struct.pack("<i", 21))
    assert (made.retval, made.packet) == (1, struct.pack("<i", 42))
    assert answer.simulate(b"abc").retval == 0
    assert device.simulate(access_type=0x0006_0002).retval == 1
    assert events.simulate(op=SockOp.RWND_INIT, args=[0, 3]).retval == 1  # `reply` is the same word as args[0]
    with pytest.raises(SimulationError, match=r"maps of type SOCKMAP can't be simulated \(map socks\)"):
        added.simulate()
    with pytest.raises(SimulationError, match=r"bpf_sysctl_get_name\(\) has no simulation"):
        names.simulate()
