from pybpf import XDP, ArrayMap, XdpContext, asm, u64, xdp

counts = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    asm("exit")
    asm("r1 = r10; r1 += -8")
    asm("r0 = *(u8 *)skb[12]")
    asm("call bpf_ktime_get_ns#5; goto far")
    asm("loop: goto loop")
    asm("call pc+1")
    asm("r1 = map_fd[3] ll")
    return XDP.PASS
