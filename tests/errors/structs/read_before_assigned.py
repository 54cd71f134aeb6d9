"""A text read from a field, and used after the field was assigned."""

from pybpf import XDP, L, Struct, Text, XdpContext, u32, xdp


class Named(Struct):
    id: u32
    name: Text[L[16]]


@xdp
def rename(pkt: XdpContext) -> XDP:
    thing = Named(id=1, name="old")
    other = Named(id=2, name="other")
    before = thing.name
    kept = other.name
    if before == "old":
        thing.name = "new"
    if kept == "other" and thing.name == "new":
        other.id += 1
    return XDP.DROP if before == "old" else XDP.PASS
