"""Kernel functions by name: signatures for fentry and kprobe programs, and kfuncs, which programs may call.

    function("tcp_connect").params      (("sk", PtrType(KernelType(sock), Space.KERNEL)),)
    kfunc("bpf_task_from_pid").flags    frozenset({"acquire", "ret_null"})

Signatures are from BTF: those of kfuncs, raw tracepoints and much-probed functions from the bundle, so that they are
the same everywhere; all others from the running kernel (or the file that `--btf` names). What the kernel says of a
kfunc in C only, its KF_ flags and the programs that may call it, is in data/kfuncs.tsv, made by tools/make_kfuncs.py.
"""

from __future__ import annotations

import os

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.btf.kernel import Prototype
    from pybpf.compiler.schema.types import Type

__all__ = ["Kfunc", "function", "kfunc", "kfuncs", "like", "raw_tracepoint", "since"]

_TABLE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "kfuncs.tsv")


class Kfunc(Record):
    """A kernel function that programs may call.

    `params` and `result` are as those of Prototype; KernelMember in compiler/schema/kernel.py says which type stands
    for what in C. The ends of parameters' names mean something (Documentation/bpf/kfuncs.rst): `__sz` and `__szk` the
    size of the memory before, `__k` a constant, `__ign` not to be given by C, `__nullable` and `__opt` may be NULL,
    `__uninit` a dynptr or iterator to be made, `__str` a constant string, `__map`, `__prog`, `__alloc`.

    `flags` are the KF_ flags, in lower case without KF_: acquire release ret_null sleepable trusted_args rcu
    destructive iter_new iter_next iter_destroy fastcall arena_ret ... `programs` are the program types that may call
    it, as "XDP" in BPF_PROG_TYPE_XDP, each with the first release where it may, "" where that is the kfunc's own;
    empty: all types may. `since` is the kfunc's first kernel release, as "6.2"; "" where it is not known.
    """

    name: str
    params: tuple[tuple[str, Type], ...]
    result: Type
    flags: frozenset[str]
    programs: dict[str, str]
    since: str = ""
    variadic: bool = False


def function(name: str) -> Prototype | None:
    """The signature of a kernel function; None where there is none of that name, or no BTF that has it."""
    from pybpf.stdlib.kernel.names import function as found

    return found(name)


def like(name: str) -> tuple[str, bool]:
    """The function whose name is most like `name`, "" for none; whether there is a kernel's BTF to look in at all."""
    from pybpf.stdlib.kernel.names import functions_like

    return functions_like(name)


def raw_tracepoint(name: str) -> Prototype | None:
    """The arguments that a raw tracepoint passes, which tp_btf programs get; None where there is none of that name.

    BTF has no names for them; data/raw_tracepoints.tsv does (pybpf.stdlib.tracepoints.raw_arguments).
    """
    from pybpf.stdlib.kernel.names import raw_tracepoint as found

    return found(name)


def kfunc(name: str) -> Kfunc | None:
    """A kfunc by name; None where there is none, or neither the bundle nor this kernel's BTF has it."""
    prototype = function(name)
    row = _rows().get(name)
    if prototype is None or ("bpf_kfunc" not in prototype.tags and row is None):
        return None
    flags, told, since = row or ("", "", "")
    programs = {kind: release for kind, _, release in [word.partition(":") for word in told.split()]}
    if "UNSPEC" in programs:
        programs = {}
    return Kfunc(
        name,
        prototype.params,
        prototype.result,
        frozenset(flags.split()),
        programs,
        since,
        prototype.variadic,
    )


def kfuncs() -> list[str]:
    """Names of all kfuncs in the table, sorted."""
    return sorted(_rows())


def since(name: str) -> str:
    """The first release that has a kfunc, "" where nobody says; also of one whose signature no BTF has."""
    return _rows()[name][2]


_known: dict[str, tuple[str, str, str]] = {}


def _rows() -> dict[str, tuple[str, str, str]]:
    if not _known:
        with open(_TABLE, encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    name, flags, programs, since = line.rstrip("\n").split("\t")
                    _known[name] = flags, programs, since
    return _known
