"""Programs at sockets and cgroups, their maps, and user space beside them."""

import os
import socket

from pybpf import (
    SK,
    CgroupBind,
    CgroupEgress,
    CgroupSkbContext,
    CgroupStorage,
    CgrpStorage,
    DeviceContext,
    GetsockoptContext,
    InodeStorage,
    PostBind6Context,
    ReusePortSockArray,
    SendMsg4Context,
    SetsockoptContext,
    SkLookupContext,
    SkMsgContext,
    SkReuseportContext,
    SkSkbContext,
    SkStorage,
    SockAddr4Context,
    SockAddr6Context,
    SockAddrUnixContext,
    SockContext,
    SockHash,
    SockMap,
    SockOp,
    SockOpsContext,
    SockOpsFlag,
    Struct,
    SysctlContext,
    TaskStorage,
    cgroup,
    current_task,
    i32,
    load,
    releasing,
    sk_lookup,
    sk_msg,
    sk_reuseport,
    sk_skb,
    sockops,
    tp_btf,
    u32,
    u64,
)
from pybpf.net import iphdr, ipv4, udphdr


class Usage(Struct):
    calls: u64
    last: u32


class Number(Struct):
    value: i32


socks = SockMap(8)
by_port = SockHash[u32](max_entries=8)
ports = ReusePortSockArray(4)
talks = SkStorage[Usage]()
marks = SkStorage[u32]()
tasks = TaskStorage[Usage]()
groups = CgrpStorage[Usage]()
labels = InodeStorage[Usage]()
old = CgroupStorage[Usage]()


@cgroup.connect4
def redirect(ctx: SockAddr4Context) -> bool:
    if ctx.user_port == 80 and ctx.sk.protocol == 6:
        ctx.user_ip4 = ipv4("127.0.0.1")
        ctx.user_port = 8080
    return True


@cgroup.bind4
def allow(ctx: SockAddr4Context) -> CgroupBind:
    return CgroupBind.ALLOW_ANY_PORT if ctx.user_port == 80 else CgroupBind.ALLOW


@cgroup.bind6
def allow6(ctx: SockAddr6Context) -> bool:
    return ctx.user_ip6[3] == 1


@cgroup.sendmsg4
def sent(ctx: SendMsg4Context) -> bool:
    ctx.msg_src_ip4 = ipv4("127.0.0.5")
    return True


@cgroup.recvmsg4
def received(ctx: SockAddr4Context) -> None:
    ctx.user_port = 53


@cgroup.connect_unix
def path(ctx: SockAddrUnixContext) -> bool:
    return ctx.type == 1


@cgroup.post_bind6
def bound(ctx: PostBind6Context) -> bool:
    return ctx.src_port > 1024 or ctx.src_ip6[0] == 0


@cgroup.sock_create
def made(ctx: SockContext) -> bool:
    ctx.mark = 5
    marks[ctx] = ctx.protocol
    return True


@cgroup.sysctl
def files(ctx: SysctlContext) -> bool:
    if ctx.name() == "net/ipv4/ip_forward" and ctx.new_value() == "1":
        ctx.set_new_value("0")
    return ctx.write == 0 or ctx.current_value() != "2"


@cgroup.getsockopt
def answered(ctx: GetsockoptContext) -> bool:
    number = ctx.value(Number)
    if number is not None:
        number.value = 5
    ctx.retval = 0
    return True


@cgroup.setsockopt()
def asked(ctx: SetsockoptContext) -> bool:
    ctx.optlen = -1
    return True


@cgroup.dev
def devices(ctx: DeviceContext) -> bool:
    return ctx.major == 1


@cgroup.skb.egress
def outgoing(pkt: CgroupSkbContext) -> CgroupEgress:
    sk = pkt.sk
    if sk is not None:
        talk = talks.setdefault(sk, Usage(calls=0, last=0))
        if talk is not None:
            talk.calls += 1
    old.local().calls += 1
    return CgroupEgress.PASS


@cgroup.skb.ingress
def incoming(pkt: CgroupSkbContext) -> bool:
    ip = pkt.parse(iphdr)
    return ip is None or ip.daddr != ipv4("127.0.0.9")


@sockops
def established(ops: SockOpsContext) -> None:
    if ops.op == SockOp.ACTIVE_ESTABLISHED_CB:
        socks.add(ops, 0)
        by_port.add(ops, ops.remote_port)
        ops.set_flags(SockOpsFlag.STATE_CB)


@sockops
def replied(ops: SockOpsContext) -> bool:
    ops.reply = 10
    return True


@sk_msg
def forward(msg: SkMsgContext) -> SK:
    return socks.redirect(msg, 1)


@sk_skb.stream_parser
def length(skb: SkSkbContext) -> int:
    return skb.len


@sk_skb.verdict(map=socks)
def verdict(skb: SkSkbContext) -> SK:
    return by_port.redirect(skb, skb.remote_port)


@sk_lookup
def listening(ctx: SkLookupContext) -> SK:
    with releasing(socks.get(0)) as sk:
        if sk is not None and ctx.assign(sk) != 0:
            return SK.DROP
    return SK.PASS


@sk_reuseport.migrate
def choose(pkt: SkReuseportContext) -> SK:
    udp = pkt.parse(udphdr)
    moved = pkt.migrating_sk
    if udp is None or moved is not None:
        return SK.DROP
    return SK.PASS if ports.select(pkt, udp.source & 1) == 0 else SK.DROP


@tp_btf("sys_enter")
def count() -> None:
    usage = tasks.get(current_task())
    if usage is not None:
        usage.calls += 1


def main() -> None:
    with load(forward, count, outgoing) as obj, socket.create_connection(("localhost", 80)) as sock:
        obj.attach(forward=socks, outgoing="/sys/fs/cgroup/app")
        obj[socks][0] = sock
        obj[by_port][80] = sock.fileno()
        cookie: int = obj[socks][0]
        calls: int = obj[tasks][os.getpid()].calls + obj[talks][sock].calls + obj[groups]["/sys/fs/cgroup"].calls
        obj[labels]["/etc/passwd"] = Usage(calls=0, last=0)
        value: Usage = obj[old][os.stat("/sys/fs/cgroup").st_ino]
        print(cookie, calls, value.last, len(obj[ports]))
