"""Arenas: what programs and user space see of them."""

from __future__ import annotations

from pybpf import Arena, Array, HashMap, L, Ptr, Struct, fetch_add, i32, load, open_map, syscall, u32, u64


class Node(Struct):
    key: u64
    next: Ptr[Node]


class Table(Struct):
    head: Ptr[Node]
    slots: Array[Ptr[Node], L[16]]
    pool: Array[Node, L[64]]
    used: u32


class Entry(Struct):
    node: Ptr[Node]


class Args(Struct):
    key: u64
    result: u64


arena = Arena(max_pages=64)
table = arena.var(Table)
count = arena.var(u64, 3)
entries = HashMap[u32, Entry](max_entries=16)


def find(key: u64) -> Node | None:
    node = table.slots[key % 16]
    while node is not None:
        if node.key == key:
            return node
        node = node.next
    return None


@syscall
def push(ctx: Args) -> i32:
    node = arena.alloc(Node)
    if node is None:
        return -1
    node.key = ctx.key
    node.next = table.head
    table.head = node
    entries[1] = Entry(node=node)
    ctx.result = arena.address(node)
    return 0


@syscall
def take(ctx: Args) -> i32:
    global count
    slot = fetch_add(table.used, 1)
    if slot >= 64:
        return -1
    own = table.pool[slot]
    own.key = ctx.key
    own.next = table.slots[ctx.key % 16]
    table.slots[ctx.key % 16] = own
    count += 1
    other = arena.at(Node, ctx.result)
    if other is not None and other is not own:
        arena.free(other)
    words = arena.alloc(Array[u64, L[512]])
    if words is not None:
        words[3] = own.key
    return 0 if find(3) is None else 1


def main() -> int:
    with load(push, take) as obj:
        head = obj[table].head
        while head is not None:
            head.key += 1
            head = head.next
        node = obj[arena].alloc(Node, key=3, next=obj[table].head)
        obj[table].head = node
        again = obj[arena].at(Node, obj[arena].address(node))
        obj[arena].free(node)
        total: int = obj[count] + obj[arena].start + (0 if again is None else again.key)
    with open_map("/sys/fs/bpf/arena", Arena) as other:
        other.alloc(Node)
    return total
