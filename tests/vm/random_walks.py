"""Random walks through kernel structs from the arguments of BTF tracepoints: each must load where its members exist."""

from __future__ import annotations

import keyword
import linecache
import random
from typing import Any

from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import ArrayType, BoolType, EnumType, IntType, PtrType, Space, TextType
from pybpf.stdlib.kernel.names import lookup

# struct -> tracepoint and parameters, of which `it` is one
ROOTS = {
    "task_struct": ("sched_switch", "preempt: bool, it: task_struct"),
    "sock": ("inet_sock_set_state", "it: sock"),
    "request": ("block_rq_issue", "it: request"),
    "sk_buff": ("kfree_skb", "it: sk_buff"),
    "linux_binprm": ("sched_process_exec", "task: task_struct, pid: i32, it: linux_binprm"),
}
SOURCE = """
from pybpf import HashMap, L, Text, i32, kernel_str, tp_btf, u32, u64
from pybpf.kernel import {root}, task_struct

seen = HashMap[u32, u64](max_entries=4)
names = HashMap[u32, Text[L[16]]](max_entries=4)


@tp_btf("{event}")
def walk({parameters}) -> None:
    {statement}
"""


def program(seed: int) -> tuple[str, Any]:
    """A statement that reads at the end of a walk, and the Program that does."""
    rng = random.Random(seed)
    root = rng.choice(list(ROOTS))
    path = None
    while path is None:
        path = _path(rng, lookup(root).__bpf__, rng.randrange(1, 7))
    text, is_text = path
    statement = f"names[0] = kernel_str(it{text})" if is_text else f"seen[0] = u64(it{text})"
    event, parameters = ROOTS[root]
    source = SOURCE.format(root=root, event=event, parameters=parameters, statement=statement)
    name = f"<walk {seed}>"
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    namespace: dict[str, Any] = {"__name__": f"walk{seed}"}
    exec(compile(source, name, "exec"), namespace)
    return statement, namespace["walk"]


def _path(rng: random.Random, struct: KernelType, hops: int) -> tuple[str, bool] | None:
    """`.a.b[3]` and whether a text is there; None where the walk ends at nothing that can be read."""
    text = ""
    for _ in range(hops):
        members = [m for m in _members(struct) if m.name.isidentifier() and not keyword.iskeyword(m.name)]
        if not members:
            return None
        member = rng.choice(members)
        text += f".{member.name}"
        kind = member.type
        while isinstance(kind, ArrayType):
            text += f"[{rng.randrange(kind.length or 3)}]"
            kind = kind.element
        if isinstance(kind, (IntType, BoolType, EnumType, TextType)):
            return text, isinstance(kind, TextType)
        if isinstance(kind, PtrType):
            if not isinstance(kind.pointee, KernelType) or kind.space != Space.KERNEL:
                return text, False
            struct = kind.pointee
        elif isinstance(kind, KernelType):
            struct = kind
        else:
            return None
    return None


def _members(struct: KernelType) -> list[Any]:
    found: list[Any] = []
    for member in struct.members:
        if member.name:
            found.append(member)
        elif isinstance(member.type, KernelType):
            found += _members(member.type)
    return found
