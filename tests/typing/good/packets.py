"""Hooks that see packets, as a checker sees them."""

from pybpf import (
    FLOW,
    LWT,
    LWT_SEG6LOCAL,
    LWT_XMIT,
    NETFILTER,
    NETKIT,
    TC,
    TCX,
    XDP,
    ArrayMap,
    CpuEntry,
    CpuMap,
    DevEntry,
    DevMap,
    DevMapHash,
    FlowDissectorContext,
    LircContext,
    LwtContext,
    LwtXmitContext,
    NetfilterContext,
    SocketFilterContext,
    Struct,
    TcContext,
    XdpContext,
    XdpDevmapContext,
    XskMap,
    action,
    flow_dissector,
    lirc_mode2,
    load,
    lwt,
    netfilter,
    netkit,
    sizeof,
    socket_filter,
    tc,
    tcx,
    u32,
    u64,
    xdp,
)
from pybpf.net import ethhdr

ports = DevMap(8)
table = DevMapHash(8)
cpus = CpuMap(8)
socks = XskMap(8)
facts = ArrayMap[u64](8)


class Mark(Struct):
    mark: u32


@xdp
def first(pkt: XdpContext) -> XDP:
    if not pkt.adjust_meta(-sizeof(Mark)):
        return XDP.PASS
    mark = pkt.meta(Mark)
    if mark is not None:
        mark.mark = 7
    eth = pkt.parse(ethhdr)
    if eth is None:
        return socks.redirect(pkt.rx_queue_index, XDP.PASS)
    return ports.redirect(eth.h_proto & 7) if pkt.length() > 100 else cpus.redirect(0)


@xdp(frags=True)
def in_pieces(pkt: XdpContext) -> XDP:
    mark = Mark(mark=0)
    return table.broadcast() if pkt.load_bytes(2000, mark) and mark.mark else pkt.redirect(3)


@xdp.devmap
def on_the_way_out(pkt: XdpDevmapContext) -> XDP:
    return XDP.PASS if pkt.egress_ifindex else XDP.DROP


@xdp.cpumap(frags=True)
def on_cpu(pkt: XdpContext) -> XDP:
    return XDP.PASS


@tc
def classify(skb: TcContext) -> TC:
    skb.mark += 1
    skb.cb[0] = skb.protocol
    sk = skb.sk
    if sk is not None:
        facts[0] = sk.src_port
    return TC.OK if skb.pull_data(20) else skb.redirect(3)


@tc.ingress
def inward(skb: TcContext) -> TC:
    return TC.SHOT


@action
def act(skb: TcContext) -> TC:
    return TC.PIPE


@tcx.egress
def outward(skb: TcContext) -> TCX:
    return TCX.NEXT


@netkit.peer
def of_peer(skb: TcContext) -> NETKIT:
    return NETKIT.PASS


@lwt.in_
def arriving(skb: LwtContext) -> LWT:
    return LWT.REROUTE


@lwt.xmit
def sending(skb: LwtXmitContext) -> LWT_XMIT:
    return skb.redirect(2)


@lwt.seg6local
def segment(skb: LwtContext) -> LWT_SEG6LOCAL:
    return LWT_SEG6LOCAL.DROP


@socket_filter
def choose(skb: SocketFilterContext) -> int:
    return skb.len


@socket_filter()
def watch(skb: SocketFilterContext) -> None:
    facts[1] += 1


@flow_dissector
def dissect(skb: FlowDissectorContext) -> FLOW:
    skb.flow_keys.thoff = skb.flow_keys.nhoff + 20
    skb.flow_keys.ipv6_src[3] = 1
    return FLOW.CONTINUE


@netfilter
def judge(ctx: NetfilterContext) -> NETFILTER:
    return NETFILTER.ACCEPT if ctx.skb.len > 20 and ctx.state.hook else NETFILTER.DROP


@lirc_mode2
def decode(ctx: LircContext) -> int:
    return 1 if ctx.is_pulse() and ctx.duration() > 500 else 0


def main() -> None:
    with load(first, on_the_way_out, on_cpu) as obj, obj.attach(first="eth0"):
        obj[ports][1] = DevEntry("eth1", program=on_the_way_out)
        entry = obj[ports][1]
        print(entry.interface, len(obj[table]))
        obj[cpus][0] = CpuEntry(64, on_cpu)
        print(obj[cpus][0].queue)
        obj[socks][0] = 5
