"""Contexts of iterators: the kernel's `struct bpf_iter__TARGET`, whose fields BTF tells.

Each call of the program gets one object; after the last one there is one more call, with None in its place, which may
print what was summed up. Sources: kernel/bpf/bpf_iter.c and the DEFINE_BPF_ITER_FUNC of each target.
"""

from __future__ import annotations

from pybpf.compiler.schema.kernel import KernelMember, KernelType
from pybpf.compiler.schema.specs import ContextSpec, CtxField
from pybpf.compiler.schema.types import OptionalType, PtrType, Space, Type, is_aggregate, size_of
from pybpf.stdlib.builtins import Builtin, sizeof
from pybpf.stdlib.contexts.base import Context
from pybpf.stdlib.helpers import bpf_seq_write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, TypeVar

    from pybpf import kernel as k

    K = TypeVar("K")
    V = TypeVar("V")

    class _Elements(Generic[K, V]):
        """What a map's elements are."""

    class _Values(Generic[V]):
        """What a map's values are."""

else:

    class _Elements:
        """`MapElemIter[u32, u64]`: of a map with such keys and values."""

        __slots__ = ()

        def __class_getitem__(cls, given):
            key, value = given if isinstance(given, tuple) and len(given) == 2 else (None, given)
            names = {"__bpf_key__": key, "__bpf_value__": value, "__module__": __name__}
            return type(cls.__name__, (cls,), names)

    _Values = _Elements


__all__ = [
    "TARGETS", "BpfLinkIter", "BpfMapElemIter", "BpfMapIter", "BpfProgIter", "CgroupIter", "DmabufIter",
    "Ipv6RouteIter", "IterContext", "KmemCacheIter", "KsymIter", "NetlinkIter", "SkStorageIter", "SockmapIter",
    "TaskFileIter", "TaskIter",
    "TaskVmaIter", "TcpIter", "UdpIter", "UnixIter", "context_of",
]  # fmt: skip


class IterContext(Context):
    """Of any target: its fields are those of the kernel's struct; objects among them may be None.

    `seq_printf(f"{task.pid} {task.comm}\\n")` and `seq_write(record)` add to what is read; `seq` is the file that does.
    """

    if TYPE_CHECKING:
        meta: k.bpf_iter_meta
        seq: k.seq_file

        def seq_printf(self, text: str, /) -> None:
            """Add text to what is read. Takes an f-string; lines end where it says `\\n`."""

    else:
        seq_printf = Builtin("seq_printf", None, "Add text to what is read. Takes an f-string.")

    def seq_write(self, record: Any, /) -> int:
        """Add the bytes of a Struct, text or array to what is read. 0, or an error: -E2BIG where it is too long."""
        return bpf_seq_write(self.seq, record, sizeof(record))


if TYPE_CHECKING:

    class TaskIter(IterContext):
        """Threads: `task`."""

        task: k.task_struct | None

    class TaskFileIter(IterContext):
        """Open files of threads: `task`, number `fd`, `file`."""

        task: k.task_struct | None
        fd: int
        file: k.file | None

    class TaskVmaIter(IterContext):
        """Mapped memory of threads: `task`, `vma`. Linux 5.12."""

        task: k.task_struct | None
        vma: k.vm_area_struct | None

    class BpfMapIter(IterContext):
        """Maps: `map`."""

        map: k.bpf_map | None

    class BpfProgIter(IterContext):
        """Programs: `prog`. Linux 5.9."""

        prog: k.bpf_prog | None

    class BpfLinkIter(IterContext):
        """Links: `link`. Linux 5.19."""

        link: k.bpf_link | None

    class BpfMapElemIter(IterContext, _Elements[K, V]):
        """Elements of one map, `BpfMapElemIter[u32, Event]`: a copy of its key or value, a reference to a Struct's."""

        map: k.bpf_map | None
        key: K | None
        value: V | None

    class SkStorageIter(IterContext, _Values[V]):
        """Values that sockets have in one map, `SkStorageIter[Event]`: `map`, `sk`, `value`."""

        map: k.bpf_map | None
        sk: k.sock | None
        value: V | None

    class SockmapIter(IterContext, _Values[K]):
        """Sockets in one map, `SockmapIter[u32]`: `map`, `key`, `sk`. Linux 5.10."""

        map: k.bpf_map | None
        key: K | None
        sk: k.sock | None

    class TcpIter(IterContext):
        """TCP sockets of this network namespace: `sk_common`, owner `uid`."""

        sk_common: k.sock_common | None
        uid: int

    class UdpIter(IterContext):
        """UDP sockets of this network namespace: `udp_sk`, owner `uid`, hash table's `bucket`."""

        udp_sk: k.udp_sock | None
        uid: int
        bucket: int

    class UnixIter(IterContext):
        """Unix sockets of this network namespace: `unix_sk`, owner `uid`. Linux 5.15."""

        unix_sk: k.unix_sock | None
        uid: int

    class NetlinkIter(IterContext):
        """Netlink sockets of this network namespace: `sk`."""

        sk: k.netlink_sock | None

    class Ipv6RouteIter(IterContext):
        """IPv6 routes of this network namespace: `rt`."""

        rt: k.fib6_info | None

    class KsymIter(IterContext):
        """Symbols of the kernel: `ksym`. Linux 6.0."""

        ksym: k.kallsym_iter | None

    class CgroupIter(IterContext):
        """Cgroups: `cgroup`. Linux 6.1."""

        cgroup: k.cgroup | None

    class KmemCacheIter(IterContext):
        """The kernel's caches of objects: `s`. Linux 6.13."""

        s: k.kmem_cache | None

    class DmabufIter(IterContext):
        """Buffers that devices share: `dmabuf`. Linux 6.16."""

        dmabuf: k.dma_buf | None


# target: (context's class, first release)
TARGETS: dict[str, tuple[str, str]] = {
    "task": ("TaskIter", "5.8"), "task_file": ("TaskFileIter", "5.8"), "task_vma": ("TaskVmaIter", "5.12"),
    "bpf_map": ("BpfMapIter", "5.8"), "bpf_prog": ("BpfProgIter", "5.9"), "bpf_link": ("BpfLinkIter", "5.19"),
    "bpf_map_elem": ("BpfMapElemIter", "5.9"), "bpf_sk_storage_map": ("SkStorageIter", "5.9"),
    "sockmap": ("SockmapIter", "5.10"), "tcp": ("TcpIter", "5.9"), "udp": ("UdpIter", "5.9"),
    "unix": ("UnixIter", "5.15"), "netlink": ("NetlinkIter", "5.8"), "ipv6_route": ("Ipv6RouteIter", "5.8"),
    "ksym": ("KsymIter", "6.0"), "cgroup": ("CgroupIter", "6.1"), "kmem_cache": ("KmemCacheIter", "6.13"),
    "dmabuf": ("DmabufIter", "6.16"),
}  # fmt: skip


if not TYPE_CHECKING:
    for _target, (_name, _) in TARGETS.items():
        _bases = (
            (IterContext, _Elements) if _name in ("BpfMapElemIter", "SkStorageIter", "SockmapIter") else (IterContext,)
        )
        globals()[_name] = type(_name, _bases, {"__bpf_target__": _target, "__module__": __name__})


def context_of(target: str, owner: Any) -> ContextSpec | None:
    """The spec of the context class `owner` of a target; None where there is no such target in the kernel's BTF."""
    from pybpf.stdlib.kernel.names import lookup

    struct = getattr(lookup(f"bpf_iter__{target}"), "__bpf__", None)
    if not isinstance(struct, KernelType):
        return None
    fields: list[CtxField] = []
    for name, offset, kind in _members(struct, 0):
        if name == "meta":
            fields.append(CtxField(name, PtrType(_pointee(kind), Space.TRUSTED), offset, 8))
        elif isinstance(kind, PtrType) and kind.pointee is None:
            fields += _typed(name, offset, owner)
        elif isinstance(kind, PtrType):
            fields.append(CtxField(name, OptionalType(PtrType(kind.pointee, Space.TRUSTED)), offset, 8))
        else:
            fields.append(CtxField(name, kind, offset, size_of(kind)))
    file = getattr(lookup("seq_file"), "__bpf__", None)
    fields.append(CtxField("seq", PtrType(file, Space.TRUSTED), 0, 8, "seq"))
    return ContextSpec(struct.name, tuple(fields), (), owner)


def _pointee(kind: Type) -> Type | None:
    return kind.pointee if isinstance(kind, PtrType) else None


def _members(struct: KernelType, at: int) -> list[tuple[str, int, Type]]:
    """Name, offset and type of the members, through unions without a name, which only widen pointers to 8 bytes."""
    found: list[tuple[str, int, Type]] = []
    for member in struct.members:
        assert isinstance(member, KernelMember)
        if not member.name and isinstance(member.type, KernelType):
            found += _members(member.type, at + member.offset)
        elif member.name and not member.bits:
            found.append((member.name, at + member.offset, member.type))
    return found


def _typed(name: str, offset: int, owner: Any) -> list[CtxField]:
    """The key or the value of a map's element, where the class says what it is. A key is not to be changed."""
    from pybpf.stdlib.types import type_of

    key, value = getattr(owner, "__bpf_key__", None), getattr(owner, "__bpf_value__", None)
    given = value if name == "value" or key is None else key
    kind = type_of(given) if given is not None else None
    if kind is None:
        return []
    if is_aggregate(kind):
        space = Space.MAP if name == "value" else Space.CONST
        return [CtxField(name, OptionalType(PtrType(kind, space)), offset, 8, "element")]
    return [CtxField(name, OptionalType(kind), offset, 8, "element")]
