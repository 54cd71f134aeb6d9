# python >= 3.11
from pybpf import TC, TcContext, tc


@tc(direction="egress")
def first(skb: TcContext) -> TC:
    return TC.OK
