"""What a pointer leads to, what an arena has room for, and what may sleep."""

from pybpf import (
    XDP, Arena, Array, HashMap, L, Ptr, SpinLock, Struct, Target, XdpContext, fetch_add, fetch_or, helpers, i32, subprog,
    syscall, u32, u64, xdp,
)

TARGET = Target(kernel=(6, 12))


class Node(Struct):
    value: u64
    next: Ptr["Node"]


class Other(Struct):
    value: u64


class Root(Struct):
    head: Ptr[Node]
    count: u64


class Args(Struct):
    key: u64


arena = Arena(max_pages=4)
root = arena.var(Root)
nodes = HashMap[u32, Node](max_entries=4)


@syscall
def makes(ctx: Args) -> i32:
    root.head = Node(value=1, next=None)
    return 0


@syscall
def keeps(ctx: Args) -> i32:
    node = nodes.get(0)
    if node is not None:
        root.head = node
    return 0


@syscall
def other(ctx: Args) -> i32:
    found = arena.alloc(Other)
    if found is not None:
        root.head = found
    return 0


@syscall
def unchecked(ctx: Args) -> i32:
    node = root.head
    node.value = 1
    return 0


@syscall
def number(ctx: Args) -> i32:
    root.head = ctx.key
    return 0


@syscall
def large(ctx: Args) -> i32:
    table = arena.alloc(Array[u64, L[4096]])
    return 0 if table is None else 1


@syscall
def no_object(ctx: Args) -> i32:
    node = arena.alloc(u64)
    return 0 if node is None else 1


@syscall
def gives_back(ctx: Args) -> i32:
    node = nodes.get(0)
    if node is not None:
        arena.free(node)
    return 0


@syscall
def atomics(ctx: Args) -> i32:
    fetch_add(root.count, 1)
    fetch_or(root.count, 1)
    return 0


@xdp
def packet(pkt: XdpContext) -> XDP:
    node = arena.alloc(Node)
    return XDP.PASS if node is None else XDP.DROP


class Locked(Struct):
    lock: SpinLock
    value: u64


@syscall
def kept_by_the_kernel(ctx: Args) -> i32:
    return 0 if arena.alloc(Locked) is None else 1


@subprog(global_=True)
def value_of(node: Node) -> u64:
    return node.value


@syscall
def lent(ctx: Args) -> i32:
    node = root.head
    if node is None:
        return 1
    helpers.bpf_probe_read_kernel(node, 8, ctx.key)
    return 0


@syscall
def called(ctx: Args) -> i32:
    node = root.head
    return 1 if node is None else i32(value_of(node))


@syscall
def elements(ctx: Args) -> i32:
    arena[0] = 1
    for node in arena:
        root.count += 1
    return 1 if 0 in arena else 0
