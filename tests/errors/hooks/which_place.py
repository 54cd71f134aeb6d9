# python >= 3.11
from pybpf import TCX, TcContext, tcx


@tcx
def first(skb: TcContext) -> TCX:
    return TCX.PASS
