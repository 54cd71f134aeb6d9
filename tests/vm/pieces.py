"""Pieces of programs on kernel structs that compile, and so must load: on every kernel that has the members."""

from __future__ import annotations

import linecache
from typing import Any

HEAD = """
from pybpf import (
    Bytes, HashMap, L, RingBuffer, Struct, Text, container_of, exists, i32, kernel_bytes, kernel_str, printk, subprog,
    tp_btf, u32, u64, var,
)
from pybpf.kernel import task_struct, tcp_sock
from pybpf.net import iphdr

seen = HashMap[u32, u64](max_entries=64)

class Event(Struct):
    pid: u32
    comm: Text[L[16]]
    raw: Bytes[L[16]]
    where: task_struct

events = RingBuffer[Event](4096)
table = HashMap[u32, Event](max_entries=4)

def plain(x, other):
    if x.pid == 1:
        return other
    x = x.real_parent
    return x

@subprog
def apart(x: task_struct) -> u32:
    return u32(x.real_parent.pid)

@subprog(global_=True)
def shared(x: task_struct) -> u32:
    return u32(x.real_parent.pid)

@tp_btf("sched_switch")
def walk(preempt: bool, t: task_struct, o: task_struct) -> None:
"""

PIECES = (
    # what may be NULL, and variables that point to several things
    "x = t if t.pid else o\nseen[0] = x.pid",
    "x = t.mm or o.mm or t.active_mm\nseen[0] = x.total_vm",
    "x = t and t.mm and t.mm.owner\nseen[0] = x.pid",
    "t = t.real_parent\nseen[0] = t.pid",
    "x: task_struct | None = None\nif t.pid > 3:\n    x = t.real_parent\nseen[0] = x.pid",
    "x = t.mm\nwhile x:\n    x = x.owner.mm\n    if x == t.mm:\n        break",
    "x = t\nwhile x.pid > 1:\n    x = x.real_parent\nseen[0] = x.pid",
    "x = t\nfor i in range(100000):\n    if x.pid <= 1:\n        break\n    x = x.real_parent\nseen[0] = x.pid",
    "for i in range(t.pid):\n    seen[i] = o.real_parent.pid + t.pid",
    "if t.mm is not None and t.mm.owner is t and t.mm != o.mm:\n    seen[0] = 1",
    "match t.mm:\n    case None:\n        seen[0] = 1\n    case _:\n        seen[0] = 2",
    "seen[0] = plain(t, o).pid + plain(o, t).pid",
    "seen[0] = apart(t) + apart(t.real_parent) + apart(task_struct(7))",
    "seen[0] = apart(t.real_parent) + apart(t.mm.owner) + apart(t.group_leader)",
    "x = t.real_parent\nfor i in range(8):\n    seen[i] = x.pid + t.mm.owner.pid\n    seen[9] = apart(x)",
    "x = t.real_parent\nfor i in range(t.pid):\n    seen[i] = x.pid\n    if x.pid == 1:\n        break",
    "seen[0] = shared(t) + shared(t.real_parent)",
    "x = task_struct(t.mm)\nseen[0] = x.pid + task_struct(0).pid",
    # elements, embedded structs, unions, bits
    "for r in t.signal.rlim:\n    seen[0] = r.rlim_cur",
    "x = t.signal.rlim\nseen[0] = x[3].rlim_cur + x[t.pid & 7].rlim_max",
    "x = t.se\nseen[0] = x.load.weight + x.vruntime",
    "seen[0] = max(t.cpus_mask.bits) + len(t.cpus_mask.bits)",
    "seen[0] = t.files.fdt.fd[t.pid & 63].f_inode.i_ino",
    "seen[0] = t.mm.pgd[2].pgd + int(t) % 3",
    "seen[0] = t.thread_pid.numbers[0].nr + t.thread_pid.numbers[t.pid & 1].nr",
    "seen[0] = t.in_execve + 2 * t.in_iowait + t.sched_reset_on_fork",
    "x = container_of(t.tasks.next, task_struct, 'tasks')\nseen[0] = x.pid",
    "seen[0] = tcp_sock(t.stack).snd_cwnd + iphdr.at(u64(t.stack)).saddr",
    # texts and bytes
    "seen[0] = t.comm == o.comm or t.mm.owner.comm.startswith('py') or 'y' in t.comm[1:]",
    "i = t.pid & 3\nif t.comm[i] == 'y':\n    seen[0] = 1",
    "name: Text[L[32]] = kernel_str(t.mm.exe_file.f_path.dentry.d_name.name)\nprintk(f'{name} {t.comm}')",
    "raw: Bytes[L[8]] = kernel_bytes(t.comm)\nseen[0] = raw[t.pid & 7]",
    "events.emit(Event(pid=t.pid, comm=t.comm, raw=kernel_bytes(t.mm), where=t.real_parent))",
    "table[1] = Event(pid=1, comm=t.comm, raw=kernel_bytes(t), where=t)\n"
    "e = table.get(1)\nif e is not None:\n    seen[0] = e.where.pid",
)


def program(number: int) -> Any:
    """The Program of a piece."""
    body = "".join(f"    {line}\n" for line in PIECES[number].split("\n"))
    name = f"<piece {number}>"
    source = str(HEAD + body)
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    namespace: dict[str, Any] = {"__name__": f"piece{number}"}
    exec(compile(source, name, "exec"), namespace)
    return namespace["walk"]
