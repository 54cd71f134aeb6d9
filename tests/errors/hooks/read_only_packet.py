from pybpf import LWT, LwtContext, lwt
from pybpf.net import iphdr


@lwt.in_
def arriving(skb: LwtContext) -> LWT:
    ip = skb.parse(iphdr)
    if ip is None:
        return LWT.OK
    ip.ttl = 1
    ip.ttl -= 1
    return LWT.OK
