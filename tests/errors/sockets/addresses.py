"""Fields that this call does not have, or that can't be changed, and an index that is not constant."""

from pybpf import CgroupSkbContext, HashMap, SockAddr4Context, SockAddr6Context, cgroup, u32, u64
from pybpf.net import iphdr

seen = HashMap[u32, u64](max_entries=4)


@cgroup.connect4
def other_family(ctx: SockAddr4Context) -> bool:
    return ctx.user_ip6[3] == 1


@cgroup.connect4
def source_of_a_datagram(ctx: SockAddr4Context) -> bool:
    ctx.msg_src_ip4 = 1
    return True


@cgroup.bind4
def other_protocol(ctx: SockAddr4Context) -> bool:
    ctx.protocol = 17
    return True


@cgroup.connect6
def each_word(ctx: SockAddr6Context) -> bool:
    for i in range(4):
        seen[ctx.user_ip6[i]] += 1
    return True


@cgroup.connect6
def of_the_socket(ctx: SockAddr6Context) -> bool:
    ctx.sk.mark = 1
    return True


@cgroup.skb.egress
def change(pkt: CgroupSkbContext) -> bool:
    ip = pkt.parse(iphdr)
    if ip is not None:
        ip.ttl = 1
    return True
