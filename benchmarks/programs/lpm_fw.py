"""A firewall by the longest matching prefix of the IPv4 source address."""

from enum import IntEnum

from pybpf import XDP, LpmTrie, Struct, XdpContext, be32, u32, u64, xdp
from pybpf.net import ETH_P_IP, ethhdr, iphdr


class Action(IntEnum):
    DROP = 0
    PASS = 1
    TX = 2


class Prefix(Struct):
    len: u32
    addr: be32


class Rule(Struct):
    action: u32
    hits: u64


rules = LpmTrie[Prefix, Rule](max_entries=256)


@xdp
def lpm_fw(pkt: XdpContext) -> XDP:
    eth, ip = pkt.parse(ethhdr), pkt.parse(iphdr)
    if eth is None or ip is None:
        return XDP.DROP
    if eth.h_proto != ETH_P_IP:
        return XDP.PASS
    rule = rules.get(Prefix(len=32, addr=ip.saddr))
    if rule is None:
        return XDP.PASS
    rule.hits += 1
    match rule.action:
        case Action.DROP:
            return XDP.DROP
        case Action.PASS:
            return XDP.PASS
        case Action.TX:
            return XDP.TX
    return XDP.ABORTED
