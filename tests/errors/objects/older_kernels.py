from pybpf import XDP, ArrayMap, Kptr, ListHead, ListNode, SpinLock, Struct, XdpContext, lock, obj_new, u64, xdp
from pybpf.kernel import task_struct


class Item(Struct):
    number: u64
    node: ListNode = ListNode()


class Slot(Struct):
    task: Kptr[task_struct] = Kptr()
    lock: SpinLock = SpinLock()
    items: ListHead[Item] = ListHead()


slots = ArrayMap[Slot](1)


@xdp
def probe(pkt: XdpContext) -> XDP:
    slot = slots.get(0)
    if slot is None:
        return XDP.PASS
    task = slot.task.get()
    item = obj_new(Item, number=1)
    with lock(slot):
        first = slot.items.front()
    return XDP.PASS
