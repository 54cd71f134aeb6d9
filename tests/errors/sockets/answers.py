"""Answers that the hook does not take."""

from pybpf import GetsockoptContext, SockAddr4Context, SockOpsContext, cgroup, sockops


@cgroup.connect4
def number(ctx: SockAddr4Context) -> int:
    return 1


@cgroup.getpeername4
def yes_or_no(ctx: SockAddr4Context) -> bool:
    return True


@cgroup.setsockopt
def context_of_getsockopt(ctx: GetsockoptContext) -> bool:
    return True


@sockops
def text(ops: SockOpsContext) -> str:
    return "yes"
