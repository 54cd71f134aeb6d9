"""Functions of the kernel under their names: `kfuncs.bpf_task_from_pid(pid)`; and `@kfunc`, which declares one.

Types come from BTF, what BTF does not say from a table (pybpf.stdlib.kernel.functions). A function that neither knows,
as one of a module of your own, is declared by a stub:

    @kfunc(flags="acquire ret_null", release=my_put)
    def my_get(id: u32) -> my_object: ...
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.specs import IterSpec, KfuncSpec
from pybpf.compiler.schema.types import (
    BOOL,
    NONE,
    OptionalType,
    ProtoType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
    is_aggregate,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "KERNELS_CONTEXT", "KernelIterator", "Kfunc", "UnknownKfunc", "iterator", "iterators", "kfunc", "names",
    "release_for", "spec_of",
]  # fmt: skip

# The function that gives back a reference to an object of this struct: those of the kernel with KF_RELEASE.
_RELEASES = {
    "bpf_cpumask": "bpf_cpumask_release", "bpf_crypto_ctx": "bpf_crypto_ctx_release", "bpf_key": "bpf_key_put",
    "cgroup": "bpf_cgroup_release", "file": "bpf_put_file", "nf_conn": "bpf_ct_release",
    "nf_conn___init": "bpf_ct_insert_entry", "task_struct": "bpf_task_release",
    "xfrm_state": "bpf_xdp_xfrm_state_release",
}  # fmt: skip


# Functions that begin a region of the program, and those that end it (is_kfunc_bpf_rcu_read_lock() and others).
_REGIONS = {"bpf_preempt_disable": "bpf_preempt_enable", "bpf_rcu_read_lock": "bpf_rcu_read_unlock"}
# Functions that are registered for more types of programs than their filter lets through (bpf_fs_kfuncs_filter in
# fs/bpf_fs_kfuncs.c, bpf_get_fsverity_digest_filter in fs/verity/measure.c).
_LSM_ONLY = (
    "bpf_get_dentry_xattr", "bpf_get_file_xattr", "bpf_get_fsverity_digest", "bpf_get_task_exe_file",
    "bpf_path_d_path", "bpf_put_file", "bpf_remove_dentry_xattr", "bpf_set_dentry_xattr",
)  # fmt: skip


# What their filters let through: tracing_iter_filter in net/core/filter.c, bpf_kprobe_multi_filter in
# kernel/trace/bpf_trace.c.
_SESSIONS = {"KPROBE/BPF_TRACE_KPROBE_SESSION": "", "KPROBE/BPF_TRACE_UPROBE_SESSION": ""}
_ONLY = {
    "bpf_sock_destroy": {"TRACING/BPF_TRACE_ITER": ""}, "bpf_session_cookie": _SESSIONS,
    "bpf_session_is_return": _SESSIONS,
}  # fmt: skip


# What a program's context is inside the kernel: the kernel's side of BPF_PROG_TYPE() in include/linux/bpf_types.h, by
# the side that programs see.
KERNELS_CONTEXT = {
    "xdp_md": "xdp_buff", "__sk_buff": "sk_buff", "bpf_sock": "sock", "bpf_sock_addr": "bpf_sock_addr_kern",
    "bpf_sock_ops": "bpf_sock_ops_kern", "sk_msg_md": "sk_msg", "bpf_perf_event_data": "bpf_perf_event_data_kern",
    "sk_reuseport_md": "sk_reuseport_kern", "bpf_sk_lookup": "bpf_sk_lookup_kern", "bpf_sysctl": "bpf_sysctl_kern",
    "bpf_sockopt": "bpf_sockopt_kern",
}  # fmt: skip


# Since when the kernel lets programs call a function, where the table says earlier: `@tp_btf` with a packet.
_LATER = {"bpf_dynptr_from_skb": {"TRACING": "6.12"}}
# What functions do with a dynptr: KfuncSpec.dynptr.
_DYNPTRS = {
    "bpf_dynptr_clone": "clone", "bpf_dynptr_from_skb": "skb", "bpf_dynptr_from_skb_meta": "skb_meta",
    "bpf_dynptr_from_xdp": "xdp", "bpf_dynptr_slice": "slice", "bpf_dynptr_slice_rdwr": "slice_rdwr",
}  # fmt: skip
# A function of an iterator that programs which may sleep can call, and few others: the frontend knows which.
_WAKEFUL = ("bpf_iter_css_task_new",)


class UnknownKfunc(DeclarationError, AttributeError):
    """`kfuncs.bpf_tsk_from_pid`: no such function."""


class Kfunc:
    """A kernel function as a value: `__bpf__` is its KfuncSpec. Calling it works inside a program, or a simulation."""

    __slots__ = ("__name__", "_spec")

    def __init__(self, name: str, spec: KfuncSpec | None = None) -> None:
        self.__name__ = name
        self._spec = spec

    @property
    def __bpf__(self) -> KfuncSpec:
        if self._spec is None:
            self._spec = spec_of(self.__name__)
            assert self._spec is not None
        return self._spec

    def __call__(self, *args: Any) -> Any:
        from pybpf.stdlib.simulation import current

        return current(f"{self.__name__}()").helper(self.__bpf__, args)

    def __repr__(self) -> str:
        return f"<kernel function {self.__name__}>"


class KernelIterator:
    """`kfuncs.bpf_iter_task`: what a `for` in a program loops over. `__bpf__` is its IterSpec."""

    __slots__ = ("__bpf__", "__name__")

    def __init__(self, spec: IterSpec) -> None:
        self.__name__ = spec.name
        self.__bpf__ = spec

    def __call__(self, *args: Any) -> Any:
        from pybpf.stdlib.simulation import current

        return current(f"{self.__name__}()").iterate(self.__bpf__, args)

    def __repr__(self) -> str:
        return f"<iterator {self.__name__} of the kernel>"


_specs: dict[str, KfuncSpec | None] = {}


def spec_of(name: str) -> KfuncSpec | None:
    """The spec of a kernel function by its name; None where there is none, or no BTF that has its signature."""
    if name not in _specs:
        from pybpf.stdlib.kernel.functions import kfunc as found

        known = found(name)
        _specs[name] = None
        if known is not None:
            flags = known.flags | ({"variadic"} if known.variadic else set())
            programs = {kind: since for kind, since in known.programs.items() if kind == "LSM" or name not in _LSM_ONLY}
            programs = _ONLY.get(name, {**programs, **_LATER.get(name, {})})
            if name in _WAKEFUL:
                flags |= {"wakeful"}
            if name.startswith("bpf_xdp_metadata_"):
                flags = flags | {"bound"}
            release = _release_of(known.result) if "acquire" in flags else None
            if name in _REGIONS:
                release = spec_of(_REGIONS[name])
            elif name in _REGIONS.values():
                flags |= {"leaves"}
            params = known.params
            if name == "bpf_rbtree_add_impl":  # its BTF shows a pointer to a function, which the loader compares
                params = tuple([(own, _less(params[1][1]) if own == "less" else kind) for own, kind in params])
            if name == "bpf_refcount_acquire_impl":
                flags |= {"locked"}
            takes = [_struct(kind) for _, kind in known.params]
            contexts = {own: kernels for own, kernels in KERNELS_CONTEXT.items() if kernels in takes}
            cast = spec_of("bpf_cast_to_kern_ctx") if contexts else None
            _specs[name] = KfuncSpec(
                name, params, known.result, flags, programs, known.since, release, cast, contexts,
                "obj_drop" if name == "bpf_obj_drop_impl" else "",
                _DYNPTRS.get(name, ""),
            )
    return _specs[name]


def iterator(name: str) -> IterSpec | None:
    """The iterator of the kernel that three functions of this name make: `bpf_iter_task` of `bpf_iter_task_new`, ..."""
    if not name.startswith("bpf_iter_") or f"{name}_new" not in names():
        return None
    new, following, destroy = [spec_of(f"{name}_{end}") for end in ("new", "next", "destroy")]
    if new is None or following is None or destroy is None:
        return None
    kind = new.params[0][1]
    pointee = kind.pointee if isinstance(kind, PtrType) else None
    return IterSpec(name, new, following, destroy, size_of(pointee)) if pointee is not None else None


def iterators() -> list[str]:
    """All iterators that are known, sorted."""
    return [name.removesuffix("_new") for name in names() if name.startswith("bpf_iter_") and name.endswith("_new")]


def _less(node: Type) -> Type:
    """`bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *)`."""
    return PtrType(ProtoType((("a", node), ("b", node)), BOOL), Space.KERNEL)


def _struct(kind: Type) -> str:
    """The kernel's struct that a pointer points to; "" for anything else."""
    return kind.pointee.name if isinstance(kind, PtrType) and isinstance(kind.pointee, KernelType) else ""


def _release_of(result: Type) -> KfuncSpec | None:
    return release_for(_struct(result))


def release_for(struct: str) -> KfuncSpec | None:
    """What gives back a reference to an object of a struct; None where nothing is known to."""
    name = _RELEASES.get(struct)
    return spec_of(name) if name is not None else None


def names() -> list[str]:
    """All kernel functions that are known, sorted."""
    from pybpf.stdlib.kernel.functions import kfuncs

    return kfuncs()


def __getattr__(name: str) -> Kfunc | KernelIterator:
    if name.startswith("__"):
        raise AttributeError(name)
    looped = iterator(name)
    if looped is not None:
        found = globals()[name] = KernelIterator(looped)
        return found
    if spec_of(name) is None:
        from difflib import get_close_matches

        near = get_close_matches(name, [*names(), *iterators()], 1, 0.7)
        help = f"did you mean `{near[0]}`?" if near and near[0] != name else ""
        if name in names():
            help = "neither the bundled types nor this kernel's BTF have its signature: declare it, with @kfunc"
        raise UnknownKfunc(f"no kernel function {name!r} is known", label="not found", help=help)
    made = globals()[name] = Kfunc(name)
    return made


def __dir__() -> list[str]:
    return [*__all__, *names(), *iterators()]


# --- declared by a stub


if TYPE_CHECKING:

    @overload
    def kfunc(function: F, /) -> F: ...
    @overload
    def kfunc(*, flags: str = "", release: Callable[..., Any] | None = None, since: str = "") -> Callable[[F], F]: ...
    def kfunc(function: Any = None, /, *, flags: str = "", release: Any = None, since: str = "") -> Any:
        """Declare a kernel function by a stub, whose annotations give its types.

            @kfunc
            def bpf_x(a: u32) -> u64: ...

        A Struct, a kernel type, an array is taken and given by its address; `str` is `char *`. What the ends of
        parameters' names mean in the kernel (`__sz`, `__str`, `__ign`, `__nullable`) they mean here. The body is not
        looked at.

        `flags` are its KF_ flags as in the kernel, in lower case without KF_: "acquire ret_null". `release` is what
        gives back what it acquires, `since` the kernel release that has it, as "6.12".
        """

else:

    def kfunc(function=None, /, *, flags="", release=None, since=""):
        """Declare a kernel function by a stub, whose annotations give its types."""
        if function is None:
            return lambda real: kfunc(real, flags=flags, release=release, since=since)
        return _Declared(function.__name__, function, frozenset(flags.split()), release, since)


# A declared one; its types are read when they are asked for, since annotations may name what comes later.
class _Declared(Kfunc):
    __slots__ = ("flags", "function", "release", "since")

    def __init__(self, name: str, function: Any, flags: frozenset[str], release: Any, since: str) -> None:
        super().__init__(name)
        self.function = function
        self.flags = flags
        self.release = release
        self.since = since

    @property
    def __bpf__(self) -> KfuncSpec:
        if self._spec is None:
            self._spec = self._read()
        return self._spec

    def _read(self) -> KfuncSpec:
        code = self.function.__code__
        params = []
        for name in code.co_varnames[: code.co_argcount]:
            params.append((name, self._type(name, f"the parameter `{name}`")))
        result, flags = self._type("return", "the result"), self.flags
        if isinstance(result, OptionalType):
            result, flags = result.inner, flags | {"ret_null"}
        release = getattr(self.release, "__bpf__", None)
        if "acquire" in flags and not isinstance(release, KfuncSpec):
            raise DeclarationTypeError(
                f"@kfunc {self.__name__}() acquires something: say what releases it",
                help="@kfunc(flags='acquire', release=the_function_that_releases_it)",
            )
        return KfuncSpec(self.__name__, tuple(params), result, flags, {}, self.since, release)

    def _type(self, name: str, what: str) -> Type:
        from pybpf.program import annotation_of
        from pybpf.stdlib.types import type_of

        found = annotation_of(self.function, name)
        if found is None:
            if name == "return" and "return" in self.function.__annotations__:
                return NONE
            raise DeclarationTypeError(f"@kfunc {self.__name__}(): {what} has no type", help="annotate it, as in u32")
        kind = getattr(found, "__bpf__", None)
        if found is str:
            return PtrType(TextType(0), Space.KERNEL)  # char *
        if found is bytes:
            raise DeclarationTypeError(f"@kfunc {self.__name__}(): {what} has no size", help="annotate it Bytes[L[16]]")
        if not isinstance(kind, Type):
            kind = type_of(found)
        if kind is None:
            raise DeclarationTypeError(f"@kfunc {self.__name__}(): {what} is of a type that a function can't take")
        if isinstance(kind, OptionalType):
            return OptionalType(_pointer(kind.inner))
        return _pointer(kind)


def _pointer(kind: Type) -> Type:
    """C takes and gives objects by their address."""
    if isinstance(kind, TextType):
        kind = TextType(0)
    by_address = isinstance(kind, (KernelType, StructType)) or is_aggregate(kind)
    return PtrType(kind, Space.KERNEL) if by_address else kind
