"""Count the packets that reach an interface, by IP protocol, before the network stack sees them.

    python examples/xdp_count.py INTERFACE [seconds]
"""

import sys

from pybpf import XDP, PerCpuArray, XdpContext, load, u64, wait, xdp
from pybpf.net import ETH_P_IP, ETH_P_IPV6, ethhdr, iphdr, ipv6hdr

packets = PerCpuArray[u64](max_entries=256)  # IP protocol number -> packets
NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}


@xdp
def count(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    if eth.h_proto == ETH_P_IP:
        ip = pkt.parse(iphdr)
        if ip is not None:
            packets[ip.protocol] += 1
    elif eth.h_proto == ETH_P_IPV6:
        ip6 = pkt.parse(ipv6hdr)
        if ip6 is not None:
            packets[ip6.nexthdr] += 1
    return XDP.PASS


def main(interface: str, seconds: float = 5) -> None:
    with load(count) as obj, obj.attach(count=interface):
        wait(seconds)
        for number, cpus in obj[packets].items():
            if cpus.sum():
                print(f"{NAMES.get(number, number)!s:>8} {cpus.sum()}")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 5)
