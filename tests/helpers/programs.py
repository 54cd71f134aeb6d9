"""Programs that call one helper each, as text: for each type of program that may call it.

    source("bpf_redirect_map", "XDP")       the program's text and its hook, or None where there is nothing to give it

Arguments follow from the helper's row. RECIPES has what a row does not say.
"""

from __future__ import annotations

from typing import Any

from pybpf.stdlib.helpers import spec_of

__all__ = ["CONSTRUCTS", "HEAD", "PLACES", "kinds_of", "source"]

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
    "TRACING/BPF_TRACE_ITER": ('plain("iter+", "task")', "tracing.RawTracepointContext"),
    "LSM": ('lsm("file_open")', "tracing.RawTracepointContext"),
    "LSM/BPF_LSM_MAC": ('lsm("file_open")', "tracing.RawTracepointContext"),
    "LSM/BPF_LSM_CGROUP": ('lsm.cgroup("socket_post_create")', "tracing.RawTracepointContext"),
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
        "file": ('lsm("file_open")', "file"), "inode": ('lsm("inode_getattr_is_not_it")', "inode"),
        "linux_binprm": ('lsm("bprm_check_security")', "bprm"), "sock": ('lsm("sk_free_security")', "sk"),
        "sk_buff": ('lsm("socket_sock_rcv_skb")', "skb"),
    },
}  # fmt: skip
OBJECTS["LSM"]["inode"] = ('lsm("inode_rmdir")', "dir")

# Programs whose context has a socket, and what kind of one.
SOCKETS = {
    "SOCKET_FILTER": "", "SCHED_CLS": "", "SCHED_ACT": "", "CGROUP_SKB": "", "LWT_XMIT": "", "SK_SKB": "", "SK_LOOKUP": "",
    "SOCK_OPS": "", "CGROUP_SOCK_ADDR": "", "CGROUP_SOCKOPT": "", "SK_MSG": "", "SK_REUSEPORT": "",
}  # fmt: skip

# What the language has in place of a call.
CONSTRUCTS = {
    "bpf_loop": "for i in range(n)", "bpf_for_each_map_elem": "for key, value in m.items()",
    "bpf_user_ringbuf_drain": "for command in m.drain()", "bpf_find_vma": "",
    "bpf_spin_lock": "with lock(value)", "bpf_spin_unlock": "with lock(value)",
    "bpf_timer_init": "value.timer.start()", "bpf_timer_set_callback": "value.timer.start()",
    "bpf_timer_start": "value.timer.start()", "bpf_timer_cancel": "value.timer.cancel()",
    "bpf_per_cpu_ptr": "ksym(T, name, percpu=True)", "bpf_this_cpu_ptr": "ksym(T, name, percpu=True)",
    "bpf_kptr_xchg": "", "bpf_dynptr_from_mem": "", "bpf_dynptr_read": "", "bpf_dynptr_write": "", "bpf_dynptr_data": "",
    "bpf_ringbuf_reserve_dynptr": "rb.reserve()", "bpf_ringbuf_submit_dynptr": "rb.reserve()",
    "bpf_ringbuf_discard_dynptr": "rb.reserve()",
}  # fmt: skip

# Arguments that a row does not tell: by helper, position -> text.
RECIPES: dict[str, dict[int, str]] = {
    "bpf_ringbuf_reserve": {1: "8"},
    "bpf_map_lookup_percpu_elem": {0: "PERCPU_ARRAY"},
    "bpf_snprintf": {2: '"%d\\n"', 3: "numbers", 4: "8"},
    "bpf_strncmp": {2: '"text"'},
    "bpf_probe_write_user": {0: "0"},
    "bpf_sk_ancestor_cgroup_id": {1: "1"},
}
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
    "bpf_sk_release": [
        "where = SockTuple4(saddr=1, daddr=2, sport=3, dport=4)",
        "found = helpers.bpf_sk_lookup_tcp(ctx, where, 12, 0, 0)",
        "if found is not None:",
        "    helpers.bpf_sk_release(found)",
    ],
}
for _lookup in ("bpf_sk_lookup_tcp", "bpf_sk_lookup_udp", "bpf_skc_lookup_tcp"):
    WHOLE[_lookup] = [line.replace("bpf_sk_lookup_tcp", _lookup) for line in WHOLE["bpf_sk_release"]]

HEAD = '''"""Made by tests/helpers/programs.py."""
from pybpf import (
    Array, Bytes, L, RawTracepointContext, Struct, Text, fentry, fexit, fmod_ret, helpers, kfuncs, lsm, releasing, tp_btf,
    tracepoint, u32, u64,
)
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import U32, U64, PtrType, Space
from pybpf.hooks.base import ContextHook
from pybpf.net import SockTuple4
from pybpf.stdlib.contexts import cgroups, netfilter, packets, skb, sockets, tracing
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


FOUR = ("PERF_EVENT_ARRAY", "PROG_ARRAY", "CGROUP_ARRAY", "DEVMAP", "DEVMAP_HASH", "CPUMAP", "XSKMAP", "REUSEPORT_SOCKARRAY")
'''


def kinds_of(helper: str) -> list[str]:
    """The keys of PLACES in which a helper may be called."""
    spec = spec_of(helper)
    assert spec is not None
    if not spec.programs:
        return [key for key in PLACES if "/" not in key]
    made = []
    for key in spec.programs:
        kind, _, attach = key.partition("/")
        if key in PLACES:
            made.append(key)
        elif kind in PLACES and kind not in made:
            made.append(kind)
    return made


def source(helper: str, key: str) -> tuple[str, str, list[str]] | None:
    """The hook, the parameters, and the lines of a program; None where a program of that type lacks an argument."""
    spec = spec_of(helper)
    assert spec is not None
    hook, context = PLACES[key]
    kind = key.partition("/")[0]
    before: list[str] = []
    extra = ""
    arguments: list[str] = []
    if helper in WHOLE:
        if kind == "SK_LOOKUP" and helper == "bpf_sk_release":
            return None  # it has nothing to release
        return hook, f"ctx: {context}", WHOLE[helper]
    for position, argument in enumerate(spec.args):
        argument = argument if position else spec.first.get(kind, argument)
        text = RECIPES.get(helper, {}).get(position) or _plain(spec, argument, position)
        if text is None:
            found = _object(argument, key, before)
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
            return "memory" if position == 0 or spec.args[position - 1].kind != "x" else None
        case "fmt":
            return '"some text\\n"'
        case "size":
            return "11" if spec.args[position - 1].kind == "fmt" else "16"
    return None


def _object(argument: Any, key: str, before: list[str]) -> tuple[str, str] | None:
    """Text for an object of the kernel, and the hook that gives it; lines that find it go to `before`."""
    kind = key.partition("/")[0]
    wanted = getattr(getattr(argument.type, "pointee", None), "name", "")
    if wanted == "task_struct":
        return "helpers.bpf_get_current_task_btf()", ""
    if key == "LSM/BPF_LSM_CGROUP" and wanted == "sock_common":
        return "sock.sk", PLACES[key][0]
    if wanted in ("bpf_sock", "bpf_sock_common", "sock_common"):
        if kind in SOCKETS:
            before += ["found = ctx.sk", "if found is not None:"]
            return "found", ""
        if kind == "XDP":
            before += [*WHOLE["bpf_skc_lookup_tcp"][:1], "with releasing(helpers.bpf_skc_lookup_tcp(ctx, where, 12, 0, 0)) as found:"]
            before += ["    if found is not None:"]
            return "found", ""
        wanted = "sock"
    if wanted == "path":
        found = OBJECTS.get(kind, {}).get("file")
        return None if found is None else (f"{found[1]}.f_path", PLACES[key][0])
    found = OBJECTS.get(kind, {}).get(wanted)
    return None if found is None else (found[1], found[0])
