"""Programs that call one function of the kernel each, as text: for each type of program that may call it.

Arguments follow from the signature; what a program has no value for is left out (`source` gives None).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import PtrType, TextType
from pybpf.stdlib.kfuncs import iterator, names, spec_of
from tests.helpers.programs import PLACES, SLEEPING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybpf.compiler.schema.specs import IterSpec, KfuncSpec

__all__ = ["CONSTRUCTS", "SPECIAL", "kinds_of", "module", "source", "struct_ops"]

# Objects that a program gets by a call, which it must give back: the call, by type of program where that matters.
ACQUIRED = {
    "cgroup": "kfuncs.bpf_cgroup_from_id(1)", "bpf_cpumask": "kfuncs.bpf_cpumask_create()",
    "cpumask": "kfuncs.bpf_cpumask_create()", "task_struct": "kfuncs.bpf_task_from_pid(1)",
    "bpf_key": "kfuncs.bpf_lookup_system_key(0)", "file": "kfuncs.bpf_get_task_exe_file(current_task())",
    "bpf_crypto_ctx": "kfuncs.bpf_crypto_ctx_create(memory, 8, memory)",
    "nf_conn": "kfuncs.bpf_{packet}_ct_lookup(ctx, memory, 8, memory, 8)",
    "nf_conn___init": "kfuncs.bpf_{packet}_ct_alloc(ctx, memory, 8, memory, 8)",
    "xfrm_state": "kfuncs.bpf_xdp_get_xfrm_state(ctx, memory, 8)",
}  # fmt: skip
# What lies inside of such objects.
INSIDE = {"cgroup_subsys_state": ("cgroup", "own_cgroup.self"), "path": ("file", "own_file.f_path")}
# Structs that are contexts, and the types of programs that have such ones.
CONTEXTS = {
    "__sk_buff": "SOCKET_FILTER SCHED_CLS SCHED_ACT CGROUP_SKB LWT_IN LWT_OUT LWT_XMIT LWT_SEG6LOCAL SK_SKB",
    "xdp_md": "XDP",
    "bpf_sock_addr_kern": "CGROUP_SOCK_ADDR",
    "bpf_sock_ops_kern": "SOCK_OPS",
}
HIDDEN = ("meta__ign", "aux__ign", "aux__prog")
# What begins a region: the call that ends it follows.
REGIONS = {"bpf_rcu_read_lock": "bpf_rcu_read_unlock", "bpf_preempt_disable": "bpf_preempt_enable"}

# What is written as something else than a call: lines that make it.
_JOBS = ["jobs = JOBS.get(1)", "if jobs is None:", "    return 0"]
_NEW = [*_JOBS, "job = obj_new(Job, due=1)", "if job is None:", "    return 0"]
_DROP = ["if job is not None:", "    obj_drop(job)"]
_FIRST = ["with lock(jobs):", "    first = jobs.tree.first()", "    if first is not None:"]
_COUNTED = ["more = refcount_acquire(job)", "obj_drop(job)", "if more is not None:", "    obj_drop(more)"]
CONSTRUCTS: dict[str, list[str]] = {
    "bpf_obj_new_impl": [*_NEW, "obj_drop(job)"], "bpf_obj_drop_impl": [*_NEW, "obj_drop(job)"],
    "bpf_refcount_acquire_impl": [*_NEW, *_COUNTED],
    "bpf_list_push_front_impl": [*_NEW, "with lock(jobs):", "    jobs.items.push_front(job)"],
    "bpf_list_push_back_impl": [*_NEW, "with lock(jobs):", "    jobs.items.push_back(job)"],
    "bpf_list_pop_front": [*_JOBS, "with lock(jobs):", "    job = jobs.items.pop_front()", *_DROP],
    "bpf_list_pop_back": [*_JOBS, "with lock(jobs):", "    job = jobs.items.pop_back()", *_DROP],
    "bpf_list_front": [*_JOBS, "with lock(jobs):", "    job = jobs.items.front()"],
    "bpf_list_back": [*_JOBS, "with lock(jobs):", "    job = jobs.items.back()"],
    "bpf_rbtree_add_impl": [*_NEW, "with lock(jobs):", "    jobs.tree.add(job, earlier)"],
    "bpf_rbtree_first": [*_JOBS, *_FIRST, "        first.due = 2"],
    "bpf_rbtree_root": [*_JOBS, "with lock(jobs):", "    top = jobs.tree.root()"],
    "bpf_rbtree_left": [*_JOBS, *_FIRST, "        left = jobs.tree.left(first)"],
    "bpf_rbtree_right": [*_JOBS, *_FIRST, "        right = jobs.tree.right(first)"],
    "bpf_rbtree_remove": [
        *_JOBS, "with lock(jobs):", "    first = jobs.tree.first()", "    if first is None:", "        return 0",
        "    job = jobs.tree.remove(first)", *_DROP,
    ],
}  # fmt: skip
# What only programs of one hook may call, or get the object for: the type, the hook, the context, and the lines.
_SLEEPING = "SYSCALL", *SLEEPING["SYSCALL"]
_ALLOCATE = ["node = ARENA.alloc(Node)", "if node is not None:"]
SPECIAL = {
    "bpf_arena_alloc_pages": (*_SLEEPING, [*_ALLOCATE, "    node.key = 5"]),
    "bpf_arena_free_pages": (*_SLEEPING, [*_ALLOCATE, "    ARENA.free(node)"]),
    "bpf_sock_destroy": (
        "TRACING", 'bpf_iter("tcp")', "iterators.TcpIter",
        ["found = ctx.sk_common", "if found is not None:", "    kfuncs.bpf_sock_destroy(found)"],
    ),
    "bpf_map_sum_elem_count": (
        "TRACING", 'bpf_iter("bpf_map")', "iterators.BpfMapIter",
        ["found = ctx.map", "if found is not None:", "    kfuncs.bpf_map_sum_elem_count(found)"],
    ),
    "bpf_session_cookie": (
        "KPROBE", 'plain("kprobe.session+", "vfs_read")', "tracing.PtRegs", ["kfuncs.bpf_session_cookie()"],
    ),
    "bpf_session_is_return": (
        "KPROBE", 'plain("kprobe.session+", "vfs_read")', "tracing.PtRegs", ["kfuncs.bpf_session_is_return()"],
    ),
}  # fmt: skip

HEAD = '''"""Made by tests/helpers/kernel_functions.py."""
from pybpf import (
    Arena, Array, Bytes, Dynptr, HashMap, L, ListHead, ListNode, RbNode, RbRoot, RefCount, SpinLock, Struct, bpf_iter,
    current_task, fentry, fexit, fmod_ret, kfuncs, lock, lsm, obj_drop, obj_new, refcount_acquire, releasing, tp_btf,
    tracepoint, u64, var,
)
from pybpf.hooks.base import ContextHook
from pybpf.stdlib.contexts import cgroups, iterators, netfilter, packets, skb, sockets, tracing


class Plain(ContextHook):
    def __init__(self, pattern, target):
        super().__init__("plain", pattern, None, int, target=target)

    def context(self, function):
        _, said = self.first(function)
        return said.__bpf__, said.__bpf__.struct, ()


def plain(pattern, target=""):
    return Plain(pattern, target)


class Node(Struct):
    key: u64


class Job(Struct):
    due: u64
    refs: RefCount = RefCount()
    in_list: ListNode = ListNode()
    in_tree: RbNode = RbNode()


class Jobs(Struct):
    lock: SpinLock = SpinLock()
    items: ListHead[Job] = ListHead()
    tree: RbRoot[Job] = RbRoot()


JOBS = HashMap[u64, Jobs](max_entries=4)
KEPT = var(Bytes[L[64]])
ARENA = Arena(max_pages=4)


def earlier(a: Job, b: Job) -> bool:
    return a.due < b.due
'''


def kinds_of(spec: KfuncSpec) -> list[str]:
    """The program types of PLACES that may call it."""
    kinds = spec.programs
    return [key for key in PLACES if "/" not in key and (not kinds or key in kinds or "UNSPEC" in kinds)]


def source(spec: KfuncSpec, key: str) -> tuple[str, str, list[str]] | None:
    """The hook, the context and the lines of a program that calls it; None where an argument can't be had."""
    if "destructive" in spec.flags or ("sleepable" in spec.flags and key not in SLEEPING):
        return None
    hook, context = SLEEPING[key] if "sleepable" in spec.flags else PLACES[key]
    if spec.name in SPECIAL:
        kind, hook, context, lines = SPECIAL[spec.name]
        return (hook, context, lines) if kind == key else None
    if spec.name in CONSTRUCTS:
        return hook, context, CONSTRUCTS[spec.name]
    for first, last in REGIONS.items():
        if spec.name in (first, last):
            return hook, context, [f"kfuncs.{first}()", f"kfuncs.{last}()"]
    if any(flag.startswith("iter_") for flag in spec.flags):
        found = iterator(spec.name.rpartition("_")[0])
        if found is None or ("wakeful" in found.new.flags and key not in ("LSM", "SYSCALL", "TRACING")):
            return None
        if "wakeful" in found.new.flags and key == "TRACING":
            hook, context = PLACES["TRACING/BPF_TRACE_ITER"]
        lines = _loop(found, key)
    else:
        lines = _call(spec, key)
    return (hook, context, lines) if lines is not None else None


def _call(spec: KfuncSpec, key: str) -> list[str] | None:
    before: list[str] = []
    given = _arguments(spec.params, key, before)
    if given is None:
        return None
    call = f"kfuncs.{spec.name}({', '.join(given)})"
    if "release" in spec.flags:
        before = [line.strip() for line in before]
        before[0] = before[0].replace("with releasing(", f"{given[0]} = ").replace(f") as {given[0]}:", "")
    indent = "    " * sum(line.endswith(":") for line in before)
    if "acquire" in spec.flags:
        return [*before, f"{indent}with releasing({call}) as made:", f"{indent}    pass"]
    return [*before, indent + call]


def _loop(found: IterSpec, key: str) -> list[str] | None:
    """The loop that makes, moves and destroys an iterator."""
    asleep = key == "SYSCALL" and "rcu_protected" in found.new.flags
    before = ["with releasing(kfuncs.bpf_rcu_read_lock()):"] if asleep else []
    given = _arguments(found.new.params[1:], key, before)
    if given is None:
        return None
    indent = "    " * sum(line.endswith(":") for line in before)
    return [*before, f"{indent}for each in kfuncs.{found.name}({', '.join(given)}):", f"{indent}    pass"]


def _arguments(params: Sequence[tuple[str, object]], key: str, before: list[str]) -> list[str] | None:
    given: list[str] = []
    for position, (name, kind) in enumerate(params):
        if name in HIDDEN:
            continue
        sized = position + 1 < len(params) and params[position + 1][0].endswith(("__sz", "__szk"))
        text = _argument(name, kind, key, before, sized)
        if text is None:
            return None
        given.append(text)
    return given


def _argument(name: str, kind: object, key: str, before: list[str], sized: bool) -> str | None:
    if not isinstance(kind, PtrType):
        return "8" if name.endswith(("__sz", "__szk")) else "1" if name == "nr_words" else "0"
    if isinstance(kind.pointee, TextType):
        return "memory" if sized else '"text"'
    if not isinstance(kind.pointee, KernelType):
        return "memory" if not name.endswith(("__uninit", "__map", "__alloc", "__irq_flag", "__k")) else None
    struct = kind.pointee.name
    if struct == "bpf_dynptr":
        return "Dynptr()" if name.endswith("__uninit") else "Dynptr.from_mem(KEPT)"
    if struct in CONTEXTS:
        return "ctx" if key in CONTEXTS[struct].split() else None
    if name.endswith("__nullable") and not sized:
        return "None"
    struct, text = INSIDE.get(struct, (struct, f"own_{struct}"))
    if struct not in ACQUIRED:
        return "memory" if sized else None
    call = ACQUIRED[struct].format(packet="xdp" if key == "XDP" else "skb")
    made_by = spec_of(call.partition("(")[0].removeprefix("kfuncs."))
    if made_by is None or key not in kinds_of(made_by) or ("(ctx" in call and key not in ("XDP", "SCHED_CLS")):
        return None
    if "sleepable" in made_by.flags and key != "SYSCALL":
        return None
    own, indent = f"own_{struct}", "    " * len(before)
    if not any(f"if {own} " in line for line in before):
        before += [f"{indent}with releasing({call}) as {own}:", f"{indent}    if {own} is not None:"]
    return text


def module(key: str, only: Iterable[str] = ()) -> tuple[str, list[str]]:
    """The text of a module with all programs of a type that call a function, and the functions' names."""
    chosen = set(only)
    parts, found = [HEAD], []
    for name in names():
        if (chosen and name not in chosen) or name.startswith("__"):
            continue
        spec = spec_of(name)
        wanted = spec is not None and (key in kinds_of(spec) or name in SPECIAL)
        made = source(spec, key) if spec is not None and wanted else None
        if made is None:
            continue
        hook, context, lines = made
        if any("memory" in line for line in lines):
            lines = ["memory = Array[u64, L[8]]()", *lines]
        body = "".join(f"    {line}\n" for line in [*lines, "return 0"])
        parts.append(f"@{hook}\ndef call_{name}(ctx: {context}) -> int:\n{body}")
        found.append(name)
    return "\n\n".join(parts), found


# Functions that the programs of a congestion control may call: the member, its parameters, and the call.
_TABLES = {
    "tcp_slow_start": ("cong_avoid", "sk, count"), "tcp_cong_avoid_ai": ("cong_avoid", "sk, count, count"),
    "tcp_reno_cong_avoid": ("cong_avoid", "sk, ack, count"), "tcp_reno_ssthresh": ("ssthresh", "sk"),
    "tcp_reno_undo_cwnd": ("undo_cwnd", "sk"), "cubictcp_init": ("init", "sk"),
    "cubictcp_cong_avoid": ("cong_avoid", "sk, ack, count"), "cubictcp_recalc_ssthresh": ("ssthresh", "sk"),
    "cubictcp_state": ("set_state", "sk, state"), "cubictcp_cwnd_event": ("cwnd_event", "sk, event"),
    "cubictcp_acked": ("pkts_acked", "sk, sample"), "bbr_init": ("init", "sk"), "bbr_ssthresh": ("ssthresh", "sk"),
    "bbr_undo_cwnd": ("undo_cwnd", "sk"), "bbr_set_state": ("set_state", "sk, state"),
    "bbr_cwnd_event": ("cwnd_event", "sk, event"), "bbr_min_tso_segs": ("min_tso_segs", "sk"),
    "bbr_sndbuf_expand": ("sndbuf_expand", "sk"), "bbr_main": ("cong_control", "sk, ack, flag, sample"),
}  # fmt: skip
_MEMBERS = {
    "cong_avoid": ("sk: tcp_sock, ack: u32, count: u32", "None"), "ssthresh": ("sk: tcp_sock", "u32"),
    "undo_cwnd": ("sk: tcp_sock", "u32"), "init": ("sk: tcp_sock", "None"),
    "set_state": ("sk: tcp_sock, state: u8", "None"), "cwnd_event": ("sk: tcp_sock, event: tcp_ca_event", "None"),
    "pkts_acked": ("sk: tcp_sock, sample: ack_sample", "None"), "min_tso_segs": ("sk: tcp_sock", "u32"),
    "sndbuf_expand": ("sk: tcp_sock", "u32"),
    "cong_control": ("sk: tcp_sock, ack: u32, flag: i32, sample: rate_sample", "None"),
}  # fmt: skip


def struct_ops(release: tuple[int, ...]) -> str:
    """The text of a module with a congestion control for each of the functions that those may call: `TABLES`."""
    tables = {name: row for name, row in _TABLES.items() if row[0] != "cong_control" or release >= (6, 10)}
    parts = [
        "from pybpf import StructOps, i32, kfuncs, struct_ops, u8, u32\n"
        "from pybpf.kernel import ack_sample, rate_sample, tcp_ca_event, tcp_congestion_ops, tcp_sock\n"
    ]
    for name, (member, given) in tables.items():
        parameters, result = _MEMBERS[member]
        call = f"kfuncs.{name}({given})"
        parts.append(
            f'class of_{name}(StructOps, of=tcp_congestion_ops):\n    name = "pybpf_none"\n\n    @struct_ops\n'
            f"    def {member}(self, {parameters}) -> {result}:\n"
            f"        {call if result == 'None' else f'return {call}'}\n"
        )
    parts.append(f"TABLES = [{', '.join(f'of_{name}' for name in tables)}]\n")
    return "\n\n".join(parts)
