"""A hook, and a field, that the kernels in question do not have yet."""

from pybpf import SockAddrUnixContext, SockOpsContext, cgroup, sockops


@cgroup.connect_unix
def connect(ctx: SockAddrUnixContext) -> bool:
    return True


@sockops
def stamp(ops: SockOpsContext) -> bool:
    return ops.skb_hwtstamp == 0
