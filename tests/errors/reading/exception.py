# python >= 3.11
from pybpf import XDP, XdpContext, xdp


def limit(words):
    return int(words[5])


LIMIT = limit(["a"])


@xdp
def probe(pkt: XdpContext) -> XDP:
    return XDP.PASS
