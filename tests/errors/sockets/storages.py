"""Local storage by a number, by another kind of object, in programs that have none, and by an object that may be None."""

from pybpf import (
    CgroupSkbContext,
    InodeStorage,
    SkStorage,
    Struct,
    TaskStorage,
    XDP,
    XdpContext,
    cgroup,
    current_task,
    tp_btf,
    u64,
    xdp,
)


class Usage(Struct):
    calls: u64


talks = SkStorage[Usage]()
tasks = TaskStorage[Usage]()
labels = InodeStorage[Usage]()


@tp_btf("sys_enter")
def by_number() -> None:
    usage = tasks.get(1)
    if usage is not None:
        usage.calls += 1


@tp_btf("sys_enter")
def by_another() -> None:
    del talks[current_task()]


@cgroup.skb.egress
def may_be_none(pkt: CgroupSkbContext) -> bool:
    return talks.get(pkt.sk) is None


@xdp
def no_sockets(pkt: XdpContext) -> XDP:
    return XDP.DROP if current_task() in tasks else XDP.PASS


@tp_btf("sys_enter")
def read_as_a_list() -> None:
    usage = tasks[current_task()]
    usage.calls += 1


@cgroup.skb.ingress
def each_of_them(pkt: CgroupSkbContext) -> bool:
    for usage in talks.values():
        usage.calls += 1
    return True
