"""Hooks typed by BTF, iterators, programs that are called, tables of operations."""

from __future__ import annotations

from pybpf import (
    XDP,
    BpfMapElemIter,
    HashMap,
    RawTracepointContext,
    Struct,
    StructOps,
    TaskIter,
    XdpContext,
    bpf_iter,
    fentry,
    fexit,
    fmod_ret,
    freplace,
    i32,
    load,
    lsm,
    struct_ops,
    syscall,
    tp_btf,
    u32,
    u64,
    xdp,
)
from pybpf.kernel import file, sock, socket, task_struct, tcp_congestion_ops, tcp_sock, xdp_buff

counts = HashMap[u32, u64](max_entries=4)


class Event(Struct):
    pid: u32


class Args(Struct):
    a: u32
    b: u64


@fentry("vfs_read", sleepable=False)
def reading(file: file, buf: u64) -> None: ...


@fentry.multi("vfs_*", sleepable=True)
def many(ctx: RawTracepointContext) -> None: ...


@fexit("vfs_read")
def done(count: u64, ret: i32) -> None: ...


@fmod_ret("security_file_open")
def refuse(file: file, ret: i32) -> int:
    return 0


@tp_btf("sched_switch")
def switch(prev: task_struct) -> None: ...


@lsm("file_open")
def guard(file: file) -> int:
    return -1


@lsm.cgroup("socket_bind")
def bound(sock: socket) -> bool:
    return True


@xdp
def firewall(pkt: XdpContext) -> XDP:
    return XDP.PASS


@fentry(firewall)
def before(ctx: xdp_buff) -> None: ...


@freplace("verdict")
def always(number: u32) -> u32:
    return number


@bpf_iter("task")
def tasks(ctx: TaskIter) -> None:
    task = ctx.task
    if task is not None:
        ctx.seq_printf(f"{task.pid} {task.comm}\n")
        ctx.seq_write(Event(pid=task.pid))


@bpf_iter("bpf_map_elem")
def elements(ctx: BpfMapElemIter[u32, Event]) -> int:
    key, value = ctx.key, ctx.value
    if key is None or value is None:
        return 0
    ctx.seq_printf(f"{key} {value.pid}\n")
    return 0


@syscall
def work(ctx: Args) -> int:
    ctx.b += ctx.a
    return 0


class Mine(StructOps, of=tcp_congestion_ops):
    name = "mine"

    @struct_ops
    def ssthresh(self, sk: tcp_sock) -> u32:
        sk.snd_cwnd += 1
        return 2

    @struct_ops(sleepable=False)
    def release(self, sk: sock) -> None: ...


with load(firewall) as obj, load(always, target_program=obj.programs["firewall"]) as other:
    other.attach(always=(obj.programs["firewall"], "verdict"))
    for line in obj[tasks].lines(pid=3):
        print(line.upper())
    for event in obj[tasks].records(Event):
        print(event.pid + 1)
    print(obj[elements].read(map=obj[counts]).splitlines())
    answer, args = obj[work].run(Args(a=1, b=2))
    print(answer + args.b)

with load(Mine) as tables:
    tables.attach(Mine=None)
