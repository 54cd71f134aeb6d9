"""Programs that call one helper each, as text: for each type of program that may call it.

    source("bpf_redirect_map", "XDP")       the program's text and its hook, or None where there is nothing to give it

Arguments follow from the helper's row. RECIPES has what a row does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.stdlib.helpers import names, spec_of
from pybpf.stdlib.kfuncs import spec_of as kfunc_spec
from pybpf.stdlib.mapkinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CONSTRUCTS", "PLACES", "kinds_of", "module", "source"]

# Where a program of a type is put: decorator, and the context's class. By attach types where helpers tell them apart.
PLACES: dict[str, tuple[str, str]] = {
    "SOCKET_FILTER": ('plain("socket")', "skb.SocketFilterContext"),
    "SCHED_CLS": ('plain("tc")', "skb.TcContext"),
    "SCHED_ACT": ('plain("action")', "skb.TcContext"),
    "XDP": ('plain("xdp")', "packets.XdpContext"),
    "CGROUP_SKB": ('plain("cgroup_skb/ingress")', "cgroups.CgroupSkbContext"),
    "LWT_IN": ('plain("lwt_in")', "skb.LwtContext"),
    "LWT_OUT": ('plain("lwt_out")', "skb.LwtContext"),
    "LWT_XMIT": ('plain("lwt_xmit")', "skb.LwtXmitContext"),
    "LWT_SEG6LOCAL": ('plain("lwt_seg6local")', "skb.LwtContext"),
    "FLOW_DISSECTOR": ('plain("flow_dissector")', "skb.FlowDissectorContext"),
    "NETFILTER": ('plain("netfilter")', "netfilter.NetfilterContext"),
    "SK_SKB": ('plain("sk_skb/stream_verdict")', "sockets.SkSkbContext"),
    "SK_MSG": ('plain("sk_msg")', "sockets.SkMsgContext"),
    "SK_LOOKUP": ('plain("sk_lookup")', "sockets.SkLookupContext"),
    "SK_REUSEPORT": ('plain("sk_reuseport")', "sockets.SkReuseportContext"),
    "SOCK_OPS": ('plain("sockops")', "sockets.SockOpsContext"),
    "CGROUP_SOCK": ('plain("cgroup/sock_create")', "cgroups.SockContext"),
    "CGROUP_SOCK_ADDR": ('plain("cgroup/connect4")', "cgroups.SockAddr4Context"),
    "CGROUP_SYSCTL": ('plain("cgroup/sysctl")', "cgroups.SysctlContext"),
    "CGROUP_SOCKOPT": ('plain("cgroup/setsockopt")', "cgroups.SetsockoptContext"),
    "CGROUP_DEVICE": ('plain("cgroup/dev")', "cgroups.DeviceContext"),
    "KPROBE": ('plain("kprobe+", "vfs_read")', "tracing.PtRegs"),
    "TRACEPOINT": ('tracepoint("sched:sched_switch")', "tracing.TracepointContext"),
    "RAW_TRACEPOINT": ('plain("raw_tp+", "sys_enter")', "tracing.RawTracepointContext"),
    "RAW_TRACEPOINT_WRITABLE": ('plain("raw_tp.w+", "bpf_test_finish")', "tracing.RawTracepointContext"),
    "PERF_EVENT": ('plain("perf_event")', "tracing.PerfEventContext"),
    "TRACING": ('tp_btf("sys_enter")', "tracing.RawTracepointContext"),
    "TRACING/BPF_TRACE_RAW_TP": ('tp_btf("sys_enter")', "tracing.RawTracepointContext"),
    "TRACING/BPF_TRACE_FENTRY": ('fentry("security_file_open")', "tracing.RawTracepointContext"),
    "TRACING/BPF_TRACE_FEXIT": ('fexit("security_file_open")', "tracing.RawTracepointContext"),
    "TRACING/BPF_MODIFY_RETURN": ('fmod_ret("security_file_open")', "tracing.RawTracepointContext"),
    "TRACING/BPF_TRACE_ITER": ('bpf_iter("task_file")', "iterators.TaskFileIter"),
    "LSM": ('lsm("file_open")', "tracing.RawTracepointContext"),
    "LSM/BPF_LSM_MAC": ('lsm("file_open")', "tracing.RawTracepointContext"),
    "LSM/BPF_LSM_CGROUP": ('lsm.cgroup("socket_bind")', "tracing.RawTracepointContext"),
    "SYSCALL": ('plain("syscall")', "tracing.RawTracepointContext"),
}
ARGUMENTS = ("tp_btf", "fentry", "fexit", "fmod_ret", "lsm")  # hooks whose programs take the function's arguments
ELSEWHERE = ("EXT", "LIRC_MODE2", "STRUCT_OPS")  # what takes a program to replace, a receiver, a table of functions

# Where programs of a type get an object of a struct: the hook that gives it, and the parameter.
OBJECTS: dict[str, dict[str, tuple[str, str]]] = {
    "TRACING": {
        "sock": ('tp_btf("inet_sock_set_state")', "sk"), "sk_buff": ('tp_btf("consume_skb")', "skb"),
        "cgroup": ('tp_btf("cgroup_mkdir")', "cgrp"), "file": ('fentry("security_file_open")', "file"),
        "xdp_buff": ('fentry("bpf_prog_run_generic_xdp")', "xdp"), "tcp_sock": ('fentry("tcp_send_ack")', "sk"),
    },
    "LSM": {
        "file": ('lsm("file_open")', "file"), "inode": ('lsm("inode_rmdir")', "dir"),
        "linux_binprm": ('lsm("bprm_check_security")', "bprm"), "sock": ('lsm("sk_alloc_security")', "sk"),
        "sk_buff": ('lsm("socket_sock_rcv_skb")', "skb"),
    },
}  # fmt: skip

# Programs whose context has a socket.
SOCKETS = (
    "SOCKET_FILTER", "SCHED_CLS", "SCHED_ACT", "CGROUP_SKB", "LWT_XMIT", "SK_SKB", "SK_LOOKUP", "SOCK_OPS", "SK_MSG",
    "CGROUP_SOCK_ADDR", "CGROUP_SOCKOPT", "SK_REUSEPORT",
)  # fmt: skip

# Where programs of a type may sleep.
SLEEPING = {
    "KPROBE": ('plain("uprobe.s+", "/bin/true:0")', "tracing.PtRegs"), "SYSCALL": PLACES["SYSCALL"],
    "TRACING": ('bpf_iter("task_file", sleepable=True)', "iterators.TaskFileIter"),
    "LSM": ('lsm("file_open", sleepable=True)', "tracing.RawTracepointContext"),
}  # fmt: skip

# What is no call in the language: lines that make it.
_DRAIN = ["for command in COMMANDS.drain():", "    total += command"]
_LOCK = ["flow = LOCKED.get(1)", "if flow is not None:", "    with lock(flow):", "        flow.count += 1"]
_WAIT = [
    "waiting = WAITING.get(1)", "if waiting is not None:", "    waiting.timer.start(WAITING, 1000, expired)",
    "    waiting.timer.cancel()",
]  # fmt: skip
CONSTRUCTS: dict[str, list[str]] = {
    "bpf_loop": ["for i in range(u32(helpers.bpf_ktime_get_ns())):", "    total += i"],
    "bpf_for_each_map_elem": ["for key, value in COUNTS.items():", "    total += value"],
    "bpf_user_ringbuf_drain": _DRAIN, "bpf_spin_lock": _LOCK, "bpf_spin_unlock": _LOCK,
    "bpf_timer_init": _WAIT, "bpf_timer_set_callback": _WAIT, "bpf_timer_start": _WAIT, "bpf_timer_cancel": _WAIT,
    "bpf_this_cpu_ptr": ["total += ACTIVE"],
    "bpf_per_cpu_ptr": ["active = per_cpu(ACTIVE, 0)", "if active is not None:", "    total += active"],
    "bpf_find_vma": [
        "for vma in helpers.bpf_find_vma(helpers.bpf_get_current_task_btf(), 0):", "    total += vma.vm_start",
    ],
}  # fmt: skip

# Fields of values that keep an object, and what gives it back.
KEPT = {"task": "bpf_task_release", "crypto": "bpf_crypto_ctx_release"}

# Arguments that a row does not tell: by helper, position -> text.
RECIPES: dict[str, dict[int, str]] = {
    "bpf_ringbuf_reserve": {1: "8"},
    "bpf_map_lookup_percpu_elem": {0: "PERCPU_ARRAY"},
    "bpf_map_push_elem": {0: "QUEUE"}, "bpf_map_pop_elem": {0: "QUEUE"}, "bpf_map_peek_elem": {0: "QUEUE"},
    "bpf_snprintf": {2: '"%d\\n"', 3: "numbers", 4: "8"},
    "bpf_strncmp": {2: '"text"'},
}  # fmt: skip
# What is called in a way of its own: lines, in which `ctx` is the context.
WHOLE = {
    "bpf_tail_call": ["helpers.bpf_tail_call(ctx, PROG_ARRAY, 0)"],
    "bpf_ringbuf_submit": [
        "record = helpers.bpf_ringbuf_reserve(RINGBUF, 8, 0)",
        "if record is not None:",
        "    helpers.bpf_ringbuf_submit(record, 0)",
    ],
    "bpf_ringbuf_discard": [
        "record = helpers.bpf_ringbuf_reserve(RINGBUF, 8, 0)",
        "if record is not None:",
        "    helpers.bpf_ringbuf_discard(record, 0)",
    ],
    "bpf_ringbuf_reserve": [
        "record = helpers.bpf_ringbuf_reserve(RINGBUF, 8, 0)",
        "if record is not None:",
        "    helpers.bpf_ringbuf_discard(record, 0)",
    ],
    "bpf_dynptr_from_mem": ["d = Dynptr()", "helpers.bpf_dynptr_from_mem(ROOM, 64, 0, d)"],
    "bpf_dynptr_read": ["d = Dynptr.from_mem(ROOM)", "helpers.bpf_dynptr_read(memory, 8, d, 0, 0)"],
    "bpf_dynptr_write": ["d = Dynptr.from_mem(ROOM)", "helpers.bpf_dynptr_write(d, 4, memory, 8, 0)"],
    "bpf_dynptr_data": [
        "d = Dynptr.from_mem(ROOM)",
        "part = helpers.bpf_dynptr_data(d, 0, 16)",
        "if part is not None:",
        "    part[3] = 1",
    ],
    "bpf_ringbuf_reserve_dynptr": [
        "d = Dynptr()",
        "if helpers.bpf_ringbuf_reserve_dynptr(RINGBUF, 24, 0, d) < 0:",
        "    total += 1",
        "helpers.bpf_ringbuf_discard_dynptr(d, 0)",
    ],
    "bpf_ringbuf_discard_dynptr": [
        "d = Dynptr()",
        "helpers.bpf_ringbuf_reserve_dynptr(RINGBUF, 24, 0, d)",
        "helpers.bpf_ringbuf_discard_dynptr(d, 0)",
    ],
    "bpf_ringbuf_submit_dynptr": [
        "d = Dynptr()",
        "helpers.bpf_ringbuf_reserve_dynptr(RINGBUF, 24, 0, d)",
        "helpers.bpf_ringbuf_submit_dynptr(d, 0)",
    ],
    "bpf_sk_release": [
        "where = SockTuple4(saddr=1, daddr=2, sport=3, dport=4)",
        "found = helpers.bpf_sk_lookup_tcp(ctx, where, 12, 0, 0)",
        "if found is not None:",
        "    helpers.bpf_sk_release(found)",
    ],
    "bpf_kptr_xchg": [
        "slot = KEPT.get(1)",
        "if slot is not None:",
        "    with releasing(helpers.bpf_kptr_xchg(slot.{field}, None)):",
        "        pass",
    ],
}
for _lookup in ("bpf_sk_lookup_tcp", "bpf_sk_lookup_udp", "bpf_skc_lookup_tcp"):
    WHOLE[_lookup] = [line.replace("bpf_sk_lookup_tcp", _lookup) for line in WHOLE["bpf_sk_release"]]

HEAD = '''"""Made by tests/helpers/programs.py."""
from pybpf import (
    Array, Bytes, Dynptr, HashMap, Kptr, L, SpinLock, Struct, Timer, UserRingBuffer, bpf_iter, fentry, fexit, fmod_ret,
    helpers, i32, ksym, lock, lsm, per_cpu, releasing, tp_btf, tracepoint, u32, u64, var,
)
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import U32, U64, PtrType, Space
from pybpf.hooks.base import ContextHook
from pybpf.kernel import bpf_crypto_ctx, task_struct
from pybpf.net import SockTuple4
from pybpf.stdlib.contexts import cgroups, iterators, netfilter, packets, skb, sockets, tracing
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.sections import SECTIONS


class Plain(ContextHook):
    def __init__(self, pattern, target):
        super().__init__("plain", pattern, None, int, target=target)

    def context(self, function):
        _, said = self.first(function)
        return said.__bpf__, said.__bpf__.struct, ()


def plain(pattern, target=""):
    return Plain(pattern, target)


class Table:
    """A map of any type, without what user space would need of it."""

    def __init__(self, name):
        bare = name in ("QUEUE", "STACK", "BLOOM_FILTER")
        ring = name.endswith("RINGBUF")
        storage = name.endswith("_STORAGE")
        key = None if bare or ring else U64 if name.endswith("CGROUP_STORAGE") else U32
        value = None if ring else U32 if name in FOUR else U64
        entries = 4096 if ring else 0 if storage else 4
        flags = 1 if storage and "CGROUP" not in name else 0
        held = {"PERF_EVENT_ARRAY": (4, 4), "STACK_TRACE": (4, 64)}.get(name, (0, 0))
        self.__bpf__ = MapSpec(name.lower(), KINDS[name], key, value, entries, flags=flags, held=held)


class Locked(Struct):
    lock: SpinLock = SpinLock()
    count: u64 = 0


class Waiting(Struct):
    timer: Timer = Timer()


class Kept(Struct):
    task: Kptr[task_struct] = Kptr()
    crypto: Kptr[bpf_crypto_ctx] = Kptr()


COUNTS = HashMap[u32, u64](max_entries=4)
KEPT = HashMap[u32, Kept](max_entries=4)
ROOM = var(Bytes[L[64]])
LOCKED = HashMap[u32, Locked](max_entries=4)
WAITING = HashMap[u32, Waiting](max_entries=4)
COMMANDS = UserRingBuffer[u64](4096)
ACTIVE = ksym(i32, "bpf_prog_active", percpu=True)


def expired(table, key, value) -> None:
    pass


FOUR = "PERF_EVENT_ARRAY PROG_ARRAY CGROUP_ARRAY DEVMAP DEVMAP_HASH CPUMAP XSKMAP REUSEPORT_SOCKARRAY".split()
'''


def kinds_of(helper: str) -> list[str]:
    """The keys of PLACES in which a helper may be called; of types whose programs may sleep, for one that does."""
    spec = spec_of(helper)
    assert spec is not None
    made = []
    for key in spec.programs or PLACES:
        kind, _, _ = key.partition("/")
        place = key if key in PLACES else kind
        if place in PLACES and place not in made and ("/" not in place or spec.programs):
            made.append(place)
    return [key for key in made if not spec.sleepable or key in SLEEPING]


def module(key: str, only: Iterable[str] = ()) -> tuple[str, list[str]]:
    """The text of a module with all programs of a type that call a helper, each named like it, and their names."""
    chosen = set(only or names())
    tables = [f'{kind} = Table("{kind}")' for kind in KINDS]
    parts, names_of = [HEAD, "\n".join(tables)], []
    for helper in names():
        wanted = helper in chosen and key in kinds_of(helper)
        found = source(helper, key) if wanted else None
        if found is None:
            continue
        hook, parameters, lines = found
        used = " ".join(lines)
        lines = [*(["memory = Bytes[L[64]]()"] if "memory" in used else []), *lines]
        lines = [*(["numbers = Array[u64, L[1]]()"] if "numbers" in used else []), *lines]
        if "total" in used:
            lines = ["total = u64(0)", *lines, "COUNTS[1] = total"]
        answer = "None" if "sock_graft" in hook else "int"
        body = "".join(f"    {line}\n" for line in [*lines, "return" if answer == "None" else "return 0"])
        parts.append(f"@{hook}\ndef {helper}({parameters}) -> {answer}:\n{body}")
        names_of.append(helper)
    return "\n\n".join(parts), names_of


def source(helper: str, key: str) -> tuple[str, str, list[str]] | None:
    """The hook, the parameters, and the lines of a program; None where a program of that type lacks an argument."""
    spec = spec_of(helper)
    assert spec is not None
    hook, context = SLEEPING[key] if spec.sleepable else PLACES[key]
    if helper in CONSTRUCTS:
        return hook, f"ctx: {context}", CONSTRUCTS[helper]
    kind = key.partition("/")[0]
    before: list[str] = []
    extra = ""
    arguments: list[str] = []
    if helper in WHOLE:
        if kind == "SK_LOOKUP" and helper == "bpf_sk_release":
            return None  # it has nothing to release
        if helper == "bpf_kptr_xchg":
            field = next((field for field, release in KEPT.items() if kind in _programs(release)), None)
            if field is None:
                return None  # nothing that it could take out and give back
            return hook, f"ctx: {context}", [line.format(field=field) for line in WHOLE[helper]]
        return hook, f"ctx: {context}", WHOLE[helper]
    for position, argument in enumerate(spec.args):
        argument = argument if position else spec.first.get(kind, argument)
        text = RECIPES.get(helper, {}).get(position) or _plain(spec, argument, position)
        if text is None:
            found = _object(argument, key, before, hook)
            if found is None:
                return None
            text, other = found
            if other:
                hook, extra = other, text
        arguments.append(text)
    lines = [*before]
    indent = "    " * sum(line.endswith(":") for line in before)
    lines.append(f"{indent}helpers.{helper}({', '.join(arguments)})")
    parameters = f"ctx: {context}" + (f", {extra.partition('.')[0]}" if extra else "")
    return hook, parameters, lines


def _programs(kfunc: str) -> Iterable[str]:
    spec = kfunc_spec(kfunc)
    return spec.programs if spec is not None else ()


def _plain(spec: Any, argument: Any, position: int) -> str | None:
    """An argument that does not depend on the program; None for an object of the kernel."""
    match argument.kind:
        case "scalar":
            return "0"
        case "address":
            return "u64(0)"
        case "ctx":
            return "ctx"
        case "map":
            return sorted(spec.maps)[0] if spec.maps else "HASH"
        case "key":
            return "u32(1)"
        case "value":
            return "u64(1)"
        case "mem" | "out" | "slot":
            return "memory"
        case "fmt":
            return '"some text\\n"'
        case "size":
            if argument.name == "data_len":  # of what the format shows
                return "0"
            return "11" if spec.args[position - 1].kind == "fmt" else "16"
    return None


def _object(argument: Any, key: str, before: list[str], hook: str) -> tuple[str, str] | None:
    """Text for an object of the kernel, and the hook that gives it; lines that find it go to `before`."""
    kind = key.partition("/")[0]
    wanted = getattr(getattr(argument.type, "pointee", None), "name", "")
    if wanted == "task_struct":
        return "helpers.bpf_get_current_task_btf()", ""
    if key == "LSM/BPF_LSM_CGROUP" and wanted == "sock_common":
        return "sk", 'lsm.cgroup("sock_graft")'
    if wanted in ("bpf_sock", "bpf_sock_common", "sock_common"):
        if kind in SOCKETS:
            before += ["found = ctx.sk", "if found is not None:"]
            return "found", ""
        if kind == "XDP":
            before += [
                *WHOLE["bpf_skc_lookup_tcp"][:1],
                "with releasing(helpers.bpf_skc_lookup_tcp(ctx, where, 12, 0, 0)) as found:",
            ]
            before += ["    if found is not None:"]
            return "found", ""
        if wanted != "sock_common":
            return None  # it must come from a lookup
        wanted = "sock"
    if wanted == "path" and "ITER" in key:
        before += ["file = ctx.file", "if file is not None:"]
        return "file.f_path", ""
    if wanted == "path":
        found = OBJECTS.get(kind, {}).get("file")
        return None if found is None else (f"{found[1]}.f_path", PLACES[key][0])
    if "ITER" in key:
        return ("ctx.seq", "") if wanted == "seq_file" else None
    found = OBJECTS.get(kind, {}).get(wanted)
    if found is None:
        return None
    sleeping = key in SLEEPING and "sleepable" in hook  # at the same function, where that may sleep
    return found[1], found[0].replace(")", ", sleepable=True)") if sleeping else found[0]
