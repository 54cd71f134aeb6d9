"""Programs that call one function of the kernel each, as text: for each type of program that may call it.

Arguments follow from the signature; what a program has no value for is left out (`source` gives None).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import PtrType, TextType
from pybpf.stdlib.kfuncs import names, spec_of
from tests.helpers.programs import PLACES

if TYPE_CHECKING:
    from pybpf.compiler.schema.specs import KfuncSpec

__all__ = ["kinds_of", "module", "source"]

# Objects that a program gets by a call, which it must give back: the type, and the call.
ACQUIRED = {
    "cgroup": "kfuncs.bpf_cgroup_from_id(1)", "bpf_cpumask": "kfuncs.bpf_cpumask_create()",
    "cpumask": "kfuncs.bpf_cpumask_create()", "bpf_crypto_ctx": "", "task_struct": "kfuncs.bpf_task_from_pid(1)",
    "bpf_key": "kfuncs.bpf_lookup_system_key(0)",
}  # fmt: skip
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

HEAD = '''"""Made by tests/helpers/kernel_functions.py."""
from pybpf import Bytes, Dynptr, L, bpf_iter, kfuncs, lsm, releasing, tp_btf, fentry, fexit, fmod_ret, tracepoint, u64
from pybpf import var
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


KEPT = var(Bytes[L[64]])
'''


def kinds_of(spec: KfuncSpec) -> list[str]:
    """The program types of PLACES that may call it."""
    kinds = spec.programs
    return [key for key in PLACES if "/" not in key and (not kinds or key in kinds or "UNSPEC" in kinds)]


def source(spec: KfuncSpec, key: str) -> list[str] | None:
    """The lines of a program that calls it; None where an argument can't be had."""
    if set(spec.flags) & {"iter_new", "iter_next", "iter_destroy", "destructive"} or spec.name in REGIONS.values():
        return None
    if spec.name in REGIONS:
        return [f"kfuncs.{spec.name}()", f"kfuncs.{REGIONS[spec.name]}()"]
    before: list[str] = []
    given: list[str] = []
    for name, kind in spec.params:
        if name in HIDDEN:
            continue
        text = _argument(name, kind, key, before)
        if text is None:
            return None
        given.append(text)
    call = f"kfuncs.{spec.name}({', '.join(given)})"
    if "release" in spec.flags:
        before = [line.strip() for line in before]
        before[0] = before[0].replace("with releasing(", f"{given[0]} = ").replace(f") as {given[0]}:", "")
    indent = "    " * sum(line.endswith(":") for line in before)
    if "acquire" in spec.flags:
        return [*before, f"{indent}with releasing({call}) as made:", f"{indent}    pass"]
    return [*before, indent + call]


def _argument(name: str, kind: object, key: str, before: list[str]) -> str | None:
    if not isinstance(kind, PtrType):
        return "8" if name.endswith(("__sz", "__szk")) else "0"
    if isinstance(kind.pointee, TextType):
        return '"text"'
    if isinstance(kind.pointee, KernelType) and kind.pointee.name == "bpf_dynptr":
        return "Dynptr()" if name.endswith("__uninit") else "Dynptr.from_mem(KEPT)"
    if isinstance(kind.pointee, KernelType):
        struct = kind.pointee.name
        if struct in CONTEXTS:
            return "ctx" if key in CONTEXTS[struct].split() else None
        if ACQUIRED.get(struct):
            source_of = spec_of(ACQUIRED[struct].partition("(")[0].removeprefix("kfuncs."))
            if source_of is None or key not in kinds_of(source_of):
                return None
            name, indent = f"own_{struct}", "    " * len(before)
            if f"{indent}if {name} is not None:" not in before and not any(f"if {name} " in line for line in before):
                before += [
                    f"{indent}with releasing({ACQUIRED[struct]}) as {name}:",
                    f"{indent}    if {name} is not None:",
                ]
            return name
        return None
    return "memory" if not name.endswith(("__uninit", "__map", "__alloc", "__irq_flag", "__k")) else None


def module(key: str) -> tuple[str, list[str]]:
    """The text of a module with all programs of a type that call a function, and the functions' names."""
    hook, context = PLACES[key]
    parts, found = [HEAD], []
    for name in names():
        spec = spec_of(name) if not name.startswith("__") else None
        lines = source(spec, key) if spec is not None and key in kinds_of(spec) else None
        if lines is None:
            continue
        if any("memory" in line for line in lines):
            lines = ["memory = Bytes[L[64]]()", *lines]
        body = "".join(f"    {line}\n" for line in [*lines, "return 0"])
        parts.append(f"@{hook}\ndef call_{name}(ctx: {context}) -> int:\n{body}")
        found.append(name)
    return "\n\n".join(parts), found
