from pybpf import XDP, ArrayMap, Target, XdpContext, kfuncs, releasing, u64, xdp

TARGET = Target(kernel=(6, 12))
hits = ArrayMap[u64](max_entries=4)


@xdp
def left_open(pkt: XdpContext) -> XDP:
    kfuncs.bpf_rcu_read_lock()
    if pkt.rx_queue_index:
        return XDP.DROP
    kfuncs.bpf_rcu_read_unlock()
    return XDP.PASS


@xdp
def nested(pkt: XdpContext) -> XDP:
    with releasing(kfuncs.bpf_preempt_disable()):
        kfuncs.bpf_preempt_disable()
    return XDP.PASS


@xdp
def not_entered(pkt: XdpContext) -> XDP:
    if pkt.rx_queue_index:
        kfuncs.bpf_rcu_read_lock()
    kfuncs.bpf_rcu_read_unlock()
    return XDP.PASS
