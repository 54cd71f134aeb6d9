from pybpf import XDP, Struct, XdpContext, subprog, u32, u64, xdp


def apply(f, n: u32) -> u32:
    return f(n)


@xdp
def pick(pkt: XdpContext) -> XDP:
    queue = pkt.rx_queue_index
    even = lambda n, by=queue: (n + by) % 2 == 0

    @subprog
    def third(n: u32) -> bool:
        return n % 3 == 0

    class Key(Struct):
        port: u32

    def again(n: u32) -> u32:
        return again(n - 1)

    again(queue)

    def add(n: u32) -> u32:
        nonlocal queue
        queue += n
        return queue

    apply(add, 3)
    return add
