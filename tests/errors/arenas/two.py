"""A program has one arena."""

from pybpf import Arena, HashMap, Ptr, Struct, Target, i32, syscall, u32, u64

TARGET = Target(kernel=(6, 12))


class Node(Struct):
    value: u64


class Entry(Struct):
    node: Ptr[Node]


class Root(Struct):
    head: Ptr[Node]


class Args(Struct):
    key: u64


nodes = Arena(max_pages=4)
names = Arena(max_pages=4)
root = names.var(Root)
entries = HashMap[u32, Entry](max_entries=4)


@syscall
def both(ctx: Args) -> i32:
    node = nodes.alloc(Node)
    if node is None:
        return 1
    root.head = node
    return 0


@syscall
def which(ctx: Args) -> i32:
    entry = entries.get(0)
    if entry is None:
        return 1
    node = entry.node
    if node is None:
        return 1
    node.value += 1
    return 0
