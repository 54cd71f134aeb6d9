# python >= 3.11
"""A hook that cgroups do not have."""

from pybpf import SockAddr4Context, cgroup


@cgroup.conect4
def connect(ctx: SockAddr4Context) -> bool:
    return True
