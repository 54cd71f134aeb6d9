from pybpf import TC, XDP, TcContext, XdpContext, helpers, tc, xdp


@tc
def first(skb: TcContext) -> TC:
    helpers.bpf_xdp_adjust_head(skb, 4)
    return TC.OK


@xdp
def second(pkt: XdpContext) -> XDP:
    helpers.bpf_skb_pull_data(pkt, 4)
    return XDP.PASS
