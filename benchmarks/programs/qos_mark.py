"""Marks what leaves by its class, which follows from protocol and ports: DSCP, priority, mark, and perhaps a VLAN."""

from pybpf import TC, ArrayMap, HashMap, PerCpuArray, Struct, TcContext, be16, tc, u8, u16, u32, u64
from pybpf.net import (
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    csum_replace2,
    ethhdr,
    iphdr,
    ipv6hdr,
    parse_ipv4,
)

CLASSES = 16


class Service(Struct):
    protocol: u8
    pad: u8 = 0
    port: be16


class Class(Struct):
    mark: u32
    vlan: u16
    dscp: u8
    priority: u8


class Count(Struct):
    packets: u64
    bytes: u64


class Ports(Struct):
    source: be16
    dest: be16


services = HashMap[Service, u32](max_entries=512)
classes = ArrayMap[Class](CLASSES)
counts = PerCpuArray[Count](CLASSES)


def class_of(protocol: u8, ports: Ports) -> u32:
    found = services.get(Service(protocol=protocol, port=ports.dest))
    if found is None:
        found = services.get(Service(protocol=protocol, port=ports.source))
    return 0 if found is None else found


def set_tos(ip: iphdr, tos: u8) -> None:
    ip.check = csum_replace2(ip.check, ip.tos, tos)
    ip.tos = tos


@tc
def qos_mark(skb: TcContext) -> TC:
    eth = skb.parse(ethhdr)
    if eth is None:
        return TC.OK
    ip: iphdr | None = None
    ip6: ipv6hdr | None = None
    if eth.h_proto == ETH_P_IP:
        ip = parse_ipv4(skb)
        if ip is None:
            return TC.OK
        protocol = ip.protocol
    elif eth.h_proto == ETH_P_IPV6:
        ip6 = skb.parse(ipv6hdr)
        if ip6 is None:
            return TC.OK
        protocol = ip6.nexthdr
    else:
        return TC.OK
    number: u32 = 0
    if protocol in (IPPROTO_TCP, IPPROTO_UDP):
        ports = skb.parse(Ports)
        if ports is None:
            return TC.OK
        number = class_of(protocol, ports)
    to = classes.get(number)
    if to is None:
        return TC.OK

    if ip is not None:
        tos = u8(to.dscp << 2 | ip.tos & 3)
        if ip.tos != tos:
            set_tos(ip, tos)
    elif ip6 is not None:
        ip6.priority = to.dscp >> 2
        ip6.flow_lbl[0] = u8(ip6.flow_lbl[0] & 0x3F | to.dscp << 6)
    skb.priority = to.priority
    skb.mark = to.mark
    count = counts.get(number)
    if count is not None:
        count.packets += 1
        count.bytes += skb.len
    if to.vlan and not skb.vlan_present and not skb.vlan_push(ETH_P_8021Q, to.priority << 13 | to.vlan):
        return TC.SHOT
    return TC.OK
