"""Let the processes of a control group send only to some networks; count what they may not.

    python examples/cgroup_firewall.py CGROUP [seconds] [NETWORK/BITS ...]
"""

import sys

from pybpf import CgroupSkbContext, Counter, LpmTrie, Struct, be32, cgroup, load, u8, u32, wait
from pybpf.net import ETH_P_IP, iphdr, ipv4


class Network(Struct):
    bits: u32
    address: be32


allowed = LpmTrie[Network, u8](max_entries=1024)
refused = Counter[be32](max_entries=10_240)  # by destination


@cgroup.skb.egress
def sending(skb: CgroupSkbContext) -> bool:
    if skb.protocol != ETH_P_IP:
        return True
    ip = skb.parse(iphdr)
    if ip is None:
        return False
    if Network(bits=32, address=ip.daddr) in allowed:
        return True
    refused[ip.daddr] += 1
    return False


def main(group: str, seconds: float = 5, *networks: str) -> None:
    with load(sending) as obj:
        for network in networks or ("127.0.0.0/8",):
            address, _, bits = network.partition("/")
            obj[allowed][Network(bits=int(bits or 32), address=ipv4(address))] = 1
        with obj.attach(sending=group):
            wait(seconds)
        for destination, count in obj[refused].most_common():
            print(f"{count:8} {ipv4(destination)}")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 5, *sys.argv[3:])
