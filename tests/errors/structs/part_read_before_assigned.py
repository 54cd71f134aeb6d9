"""What was read from a packet, an element or a global is a reference too: swaps by way of a variable."""

import copy

from pybpf import XDP, Array, HashMap, L, Struct, XdpContext, u8, u32, var, xdp
from pybpf.net import ethhdr


class Ends(Struct):
    source: Array[u8, L[6]]
    dest: Array[u8, L[6]]


class Pair(Struct):
    first: Ends
    second: Ends


pairs = HashMap[u32, Pair](max_entries=4)
last = var(Pair)


@xdp
def answers(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    old = eth.h_source
    eth.h_source = eth.h_dest
    eth.h_dest = old
    return XDP.TX


def turn(ends: Ends) -> None:
    old = ends.source
    ends.source = ends.dest
    ends.dest = old


@xdp
def elements(pkt: XdpContext) -> XDP:
    pair = pairs.get(0)
    if pair is None:
        return XDP.PASS
    inner = pair.first.source
    pair.first = pair.second
    pair.second.source = inner
    turn(pair.second)
    return XDP.TX


@xdp
def globals_too(pkt: XdpContext) -> XDP:
    old = last.first
    last.first = last.second
    last.second = old
    return XDP.TX


@xdp
def works(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    old = copy.deepcopy(eth.h_source)
    other = eth.h_dest
    eth.h_source = other
    eth.h_dest = old
    eth.h_source, eth.h_dest = eth.h_dest, eth.h_source
    return XDP.TX if old[0] else XDP.DROP
