"""Checks of capabilities: who asked for which, and whether it was granted. After capable of libbpf-tools."""

from pybpf import HashMap, L, RingBuffer, Struct, Text, comm, const, i32, kprobe, kretprobe, pid, tid, u32, uid

CAP_OPT_NOAUDIT = 2


class Check(Struct):
    pid: u32
    uid: u32
    cap: i32
    ret: i32
    comm: Text[L[16]]


class Once(Struct):
    pid: u32
    cap: i32


verbose = const(bool, False)
unique = const(bool, False)
asked = HashMap[u32, i32](max_entries=10_240)
seen = HashMap[Once, bool](max_entries=10_240)
checks = RingBuffer[Check](64 * 1024)


@kprobe("cap_capable")
def enter(cap: i32, opts: u32) -> None:
    if not verbose and opts & CAP_OPT_NOAUDIT:
        return
    asked[tid()] = cap


@kretprobe("cap_capable")
def leave(ret: i32) -> None:
    cap = asked.pop(tid(), None)
    if cap is None:
        return
    if unique:
        key = Once(pid=pid(), cap=cap)
        if key in seen:
            return
        seen[key] = True
    checks.emit(Check(pid=pid(), uid=uid(), cap=cap, ret=ret, comm=comm()))
