from pybpf import TC, TCX, TcContext, tc, tcx


@tcx.ingress
def first(skb: TcContext) -> TC:
    return TC.OK


@tc
def second(skb: TcContext) -> TCX:
    return TCX.PASS
