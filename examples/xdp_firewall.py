"""Drop what comes from blocked addresses, and what any address sends too fast to one port; let all else pass.

    python examples/xdp_firewall.py INTERFACE [seconds] [ADDRESS ...]
"""

import sys

from pybpf import XDP, Bytes, Counter, HashMap, L, RateLimitBy, XdpContext, const, load, u16, u32, wait, xdp
from pybpf.net import IPPROTO_UDP, Flow, ipv6, parse_flow

guarded_port = const(u16, 9999)
blocked = HashMap[Bytes[L[16]], u32](max_entries=10_240)  # source address -> which rule
speed = RateLimitBy[Bytes[L[16]]](per_second=100, burst=5, max_entries=10_240)
dropped = Counter[Flow](max_entries=10_240)


@xdp
def firewall(pkt: XdpContext) -> XDP:
    flow = parse_flow(pkt)
    if flow is None:
        return XDP.PASS
    if flow.saddr in blocked:
        dropped[flow] += 1
        return XDP.DROP
    if flow.protocol == IPPROTO_UDP and flow.dport == guarded_port and not speed.allow(flow.saddr):
        dropped[flow] += 1
        return XDP.DROP
    return XDP.PASS


def main(interface: str, seconds: float = 5, *addresses: str) -> None:
    with load(firewall) as obj:
        for number, address in enumerate(addresses, 1):
            obj[blocked][ipv6(f"::ffff:{address}" if "." in address else address)] = number
        with obj.attach(firewall=interface):
            wait(seconds)
        for flow, count in obj[dropped].most_common():
            print(f"{count:8} {ipv6(flow.saddr)} port {flow.sport} -> {ipv6(flow.daddr)} port {flow.dport}")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 5, *sys.argv[3:])
