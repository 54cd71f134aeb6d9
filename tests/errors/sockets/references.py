"""A socket of a map that is not given back, one that may be missing, and a map that is asked by a helper."""

from pybpf import SK, XDP, SkLookupContext, SockMap, XdpContext, helpers, releasing, sk_lookup, u32, var, xdp

socks = SockMap(4)
slot = var(u32, 0)


@sk_lookup
def kept(ctx: SkLookupContext) -> SK:
    sk = socks.get(0)
    if sk is not None:
        ctx.assign(sk)
    return SK.PASS


@sk_lookup
def missing(ctx: SkLookupContext) -> SK:
    with releasing(socks.get(slot)) as sk:
        ctx.assign(sk)
    return SK.PASS


@sk_lookup
def by_helper(ctx: SkLookupContext) -> SK:
    found = helpers.bpf_map_lookup_elem(socks, 0)
    return SK.PASS if found is None else SK.DROP


@sk_lookup
def earlier(ctx: SkLookupContext) -> SK:
    return SK.PASS if ctx.sk.family == 2 else SK.DROP


@sk_lookup
def as_a_map(ctx: SkLookupContext) -> SK:
    socks[0] = 1
    return SK.PASS


@xdp
def of_a_frame(pkt: XdpContext) -> XDP:
    socks.redirect(pkt, 1)
    return XDP.PASS
