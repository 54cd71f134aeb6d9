"""A deprecated storage of a number: programs get a reference."""

from pybpf import CgroupSkbContext, CgroupStorage, cgroup, u64

counts = CgroupStorage[u64]()


@cgroup.skb.ingress
def count(pkt: CgroupSkbContext) -> bool:
    counts.local()
    return True
