import ctypes
from dataclasses import dataclass

from pybpf import XDP, HashMap, XdpContext, u32, xdp


class Flow(ctypes.Structure):
    _fields_ = [("packets", ctypes.c_uint64)]


@dataclass
class Drop:
    packets: int


flows = HashMap[u32, Flow](max_entries=64)
drops = HashMap[u32, Drop](max_entries=64)
ports = HashMap[ctypes.c_uint16, u32](max_entries=64)


@xdp
def probe(pkt: XdpContext) -> XDP:
    if 1 in flows:
        return XDP.DROP
    if 1 in drops:
        return XDP.DROP
    if 1 in ports:
        return XDP.DROP
    return XDP.PASS
